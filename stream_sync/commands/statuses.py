"""What every command's exit status says."""

from __future__ import annotations

DONE = 0
FAILED = 1
WRONG = 2
"""The command line or the config."""
LANE_HALTED = 3
"""`run --until-caught-up` ended with a lane halted."""
INTERRUPTED = 130
"""By Ctrl-C."""
TERMINATED = 143
"""By SIGTERM, where there was nothing to end in order."""
