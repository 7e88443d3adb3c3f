"""What activations on one account at a vendor allow each other.

Invariants:
- An account is a type with its address and required settings, whatever name the file gives it: two names for one
  account are found out.
- A mirror may stand beside `update` only: a lagging upsert would bring back people that the mirror deleted.
"""

from __future__ import annotations

from stream_sync.config.problems import Report
from stream_sync.config.rules.parts import Parts
from stream_sync.config.settings import DestinationSettings


def check_accounts(parts: Parts, report: Report) -> None:
    """Same accounts, and mirrors beside what they cannot stand beside."""
    names: dict[str, str] = {}
    for name, destination in parts.destinations.items():
        first = name
        if report.clean(("destinations", name)):  # of a draft, the settings do not tell the account
            settings = destination.settings
            first = next((known for known in names if is_same(parts.destinations[known].settings, settings)), name)
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


def is_same(one: DestinationSettings, other: DestinationSettings) -> bool:
    """Whether two destinations are one account as far as their settings show."""
    if one.type != other.type or type(one) is not type(other):
        return False
    telling = [name for name, field in type(one).model_fields.items() if field.is_required() or name == "url"]
    return all(_plain(getattr(one, name)) == _plain(getattr(other, name)) for name in telling)


def _plain(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


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
