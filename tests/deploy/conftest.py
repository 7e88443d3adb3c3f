"""What the tests of a whole deployment may ask for: the stage of the end-to-end tests."""

from __future__ import annotations

from tests.e2e.conftest import stage

__all__ = ["stage"]
