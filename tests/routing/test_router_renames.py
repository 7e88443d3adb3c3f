"""`on_identifier_change: rename`: who has another identifier is renamed, if both are known; all else is as without."""

from __future__ import annotations

import pytest

from stream_sync.model import Intent, Mode
from stream_sync.routing.newest import Folding, Newest
from stream_sync.routing.router import Router
from tests.routing.table import ANN, BASIC, MODES, Activation, Read, created, deleted, updated

MOVED = {**ANN, "email": " Ann@New.example.com"}


class Renaming(Activation):
    """Identified by e-mail."""

    def __init__(self, mode: Mode) -> None:
        super().__init__(mode, identifier="email")
        renamed = frozenset(("external_id",))
        decode = self.decoder.decode
        self.router = Router(
            self.plan, mode, before_full=True, whole=False, notice=self._note, decode=decode, renamed=renamed
        )
        self.router.learn_key(("id",))


@pytest.mark.parametrize("mode", MODES)
def test_a_changed_identifier_is_one_write_that_knows_the_old_one(mode: Mode) -> None:
    decision = Renaming(mode).decide(updated(ANN, MOVED))

    assert isinstance(decision, Intent)
    assert decision.kind == ("update" if mode == "update" else "insert")
    assert (decision.formerly, decision.identifier) == (ANN["email"], "ann@new.example.com")
    assert decision.whole


@pytest.mark.parametrize(
    ("read", "kind"),
    [
        (updated({**BASIC, "email": "b@example.com"}, {**MOVED, "tier": "gold"}), "insert"),
        (updated(ANN, {**MOVED, "tier": BASIC["tier"]}), "delete"),
        (updated(ANN, {**ANN, "email": f" {ANN['email'].upper()}", "ltv": 7}), "update"),
        (created(MOVED), "insert"),
        (deleted(MOVED), "delete"),
    ],
)
def test_nobody_else_is_renamed(read: Read, kind: str) -> None:
    decision = Renaming("mirror").decide(read)

    assert isinstance(decision, Intent)
    assert (decision.kind, decision.formerly) == (kind, None)


def test_of_a_row_as_it_is_now_nobody_is_deleted_who_may_only_not_have_been_renamed() -> None:
    activation, newest = Renaming("mirror"), Newest()
    folding = Folding(activation.plan, activation.router, "mirror", lambda *_: None, before_full=True)
    folding.fold(newest, activation.decoder.decode(updated(ANN, MOVED)))

    assert folding.decide(newest).deletes == ()
    folding.fold(newest, activation.decoder.decode(deleted(MOVED)))
    assert {intent.identifier for intent in folding.decide(newest).deletes} == {ANN["email"], "ann@new.example.com"}
