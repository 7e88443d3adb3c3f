"""`python -m stream_sync` is `stream-sync`."""

from __future__ import annotations

import sys

from stream_sync.cli import main

if __name__ == "__main__":
    sys.exit(main())
