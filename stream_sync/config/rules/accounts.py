"""What activations on one account at a vendor allow each other.

Invariants:
- An account is what its sink says, whatever name the file gives it and whatever credentials: two names for one account
  are found out. Where many accounts have one address, only equal credentials tell that they are one.
- A mirror may stand beside `update` only: a lagging upsert would bring back people that the mirror deleted.
"""

from __future__ import annotations

from stream_sync.config.problems import Report
from stream_sync.config.rules.parts import Destination, Parts
from stream_sync.config.secrets import secrets_in


def check_accounts(parts: Parts, report: Report) -> None:
    """Same accounts, and mirrors beside what they cannot stand beside."""
    names: dict[str, str] = {}
    for name, destination in parts.destinations.items():
        first = name
        if report.clean(("destinations", name)):  # of a draft, the settings do not tell the account
            first = next((known for known in names if is_same(parts.destinations[known], destination)), name)
        names[name] = names.get(first, name)
        if first != name:
            waste = "each would spend the whole rate limit; declare it once"
            report.warning(("destinations", name), f"is the same account as destinations.{names[name]}: {waste}")
    by_account: dict[str, list[str]] = {}
    for name, activation in parts.activations.items():
        account = names.get(activation.destination)
        if account is None or activation.mode == "update":
            continue
        for other in by_account.setdefault(account, []):
            if "mirror" in (activation.mode, parts.activations[other].mode):
                _tell(name, other, parts, report)
        by_account[account].append(name)


def is_same(one: Destination, other: Destination) -> bool:
    """Whether two destinations are one account as far as their settings show."""
    if one.sink is not other.sink or _account(one) != _account(other):
        return False
    return one.sink.account_tells or _secrets(one) == _secrets(other)


def _account(destination: Destination) -> list[str]:
    return [part.lower() for part in destination.sink.account(destination.settings)]


def _secrets(destination: Destination) -> list[str]:
    return [secret.reveal() for secret in secrets_in(destination.settings)]


def _tell(name: str, other: str, parts: Parts, report: Report) -> None:
    mine, theirs = parts.activations[name], parts.activations[other]
    if mine.mode == theirs.mode:
        reason = "two mirrors delete each other's people"
    else:
        upsert, mirror = (name, other) if theirs.mode == "mirror" else (other, name)
        reason = f"'{upsert}' would bring back people whom '{mirror}' deleted"
    report.problem(
        ("activations", name, "mode"),
        f"'{mine.mode}' cannot share the destination {mine.destination} with '{other}' ({theirs.mode}): {reason}; "
        "beside a mirror only update is possible",
    )
