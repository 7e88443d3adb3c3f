"""Which names an activation may use at Voyado, and what is wrong with the others.

Invariants: ids are case-sensitive here, as Voyado ignores what it does not know without a word; every finding gives the
reason and, where there is one, the name that was meant.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from stream_sync.config.values import Rate
from stream_sync.model import Mode
from stream_sync.sinks.base import Finding, MappedName
from stream_sync.sinks.voyado_fields import AT_CREATION

RECOMMENDED = 50
"""Requests a second: "stay below in normal operation" (Voyado's page on rate limits)."""
_CONSENT = (
    "is a consent or preference, whose master is Engage: a consent can never go back to `not set`, and setting a "
    "preference can approve a contact; this is not this service's work, keep it in Engage"
)
_LABELS = "is not an attribute, and no page of Voyado says how labels are written; use a custom attribute"
_EVENTS = "are events, not this service's work"
_IDENTIFIER = "is the id that Voyado gives; name it under `identifier`, as contactId, and nowhere else"
_CALCULATED = "is calculated by Engage and cannot be written"
_REFUSED = {
    **dict.fromkeys(("consents", "consent", "preferences", "acceptsemail", "acceptssms", "acceptspostal"), _CONSENT),
    **dict.fromkeys(("label", "labels"), _LABELS),
    **dict.fromkeys(("achievements", "promotions", "transactions", "receipts", "orders", "events"), _EVENTS),
    **dict.fromkeys(("contactid", "id"), _IDENTIFIER),
    "contacttype": "is set by the destination's `contact_type`; Voyado does not take it in a change",
    **dict.fromkeys(("rfm", "age"), _CALCULATED),
}
_REFUSED_BELOW = {
    "consents.": _CONSENT,
    "preferences.": _CONSENT,
    "labels.": _LABELS,
    "retail.keyvalue.": _CALCULATED,
    "nps.": _CALCULATED,
}
_MEANT = {
    "birthdate": "birthDay",
    "dateofbirth": "birthDay",
    "dob": "birthDay",
    "preferredlanguage": "lang",
    "language": "lang",
    "phone": "mobilePhone",
    "zip": "zipCode",
    "postalcode": "zipCode",
}
"""What others call Voyado's own ids."""


def check(
    mode: Mode,
    identifiers: Collection[str],
    mapped: Sequence[MappedName],
    known: Mapping[str, Any],
    required: Sequence[str],
) -> list[Finding]:
    """What is wrong with the names, and with what an upsert needs to create somebody. `known`: all that the contact
    type has."""
    findings = []
    for at in mapped:
        place = f"{at.section}.{at.name}"
        if told := _refusal(at.name):
            findings.append(Finding(place, told))
        elif at.name not in known:
            findings.append(Finding(place, _unknown(at.name, known), setting="known_fields"))
        elif at.name in AT_CREATION:
            why = f"{at.name!r} is sent only when a contact is created: Voyado never changes it once it is set"
            findings.append(Finding(place, why, "warning"))
    if mode != "upsert":
        return findings
    if "email" not in identifiers:
        return [
            *findings,
            Finding("mode", "contactId is given by Voyado, so nobody is created: as mode update", "warning"),
        ]
    given = {at.name for at in mapped} | {"email"}
    return findings + [
        Finding(
            "fields",
            f"lacks {name!r}, without which Voyado creates no contact (`required`); map it, or use mode update",
            setting="required",
        )
        for name in required
        if name not in given
    ]


def check_rate(rate: Rate) -> list[Finding]:
    """A warning where the account's rate is more than Voyado recommends."""
    if rate.count <= RECOMMENDED * rate.seconds:
        return []
    why = f"its rate_limit {rate} is more than the {RECOMMENDED}/s that Voyado asks to stay below in normal operation"
    return [Finding("destination", why, "warning")]


def _refusal(name: str) -> str | None:
    lowered = name.strip().lower()
    if reason := _REFUSED.get(lowered):
        return f"{name!r} {reason}"
    below = next((why for start, why in _REFUSED_BELOW.items() if lowered.startswith(start)), None)
    return f"{name!r} {below}" if below else None


def _unknown(name: str, known: Mapping[str, Any]) -> str:
    lowered = name.strip().lower().replace("_", "").replace("-", "").replace(" ", "")
    names = {one.lower(): one for one in known}
    meant = _MEANT.get(lowered)
    if meant not in known:
        close = difflib.get_close_matches(lowered, names, n=1, cutoff=0.75)
        meant = names[close[0]] if close else None
    hint = f"; did you mean {meant!r}?" if meant else "; if Voyado has it, add it there with its type"
    return f"{name!r} is not in the destination's `known_fields`, and Voyado ignores unknown names without a word{hint}"
