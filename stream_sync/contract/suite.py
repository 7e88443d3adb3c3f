"""What every sink must do, as tests: `class TestMine(SinkContract)` runs them on the fixture `subject` (docs/sinks.md).

Invariants:
- Each test is against a new simulated account, over real sockets, in virtual time: waits cost nothing.
- Nothing of the service imports this; pytest is needed for tests only.
"""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite(
    *(f"stream_sync.contract.{part}" for part in ("people", "renames", "secrecy", "trial", "trouble"))
)

from stream_sync.contract.people import PeopleContract  # noqa: E402  # what it asserts is explained from here on
from stream_sync.contract.renames import RenamesContract  # noqa: E402
from stream_sync.contract.secrecy import SecrecyContract  # noqa: E402
from stream_sync.contract.trouble import TroubleContract  # noqa: E402


class SinkContract(PeopleContract, RenamesContract, TroubleContract, SecrecyContract):
    """The whole contract."""
