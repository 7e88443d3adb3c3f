"""Where the service may send anything at all: `allowed_hosts`, for whoever runs configs that others write, or whose
addresses come from variables.

Invariants:
- Every address of the config counts, those that a destination's type fills in included; Kafka's do not: brokers name
  one another.
- Nothing else is ever asked: redirects are not followed, and no row is part of a host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from stream_sync.config.problems import Place, Report
from stream_sync.config.rules.parts import Parts


def check_hosts(raw: Mapping[str, Any], parts: Parts, report: Report) -> None:
    """Every `url` is of an allowed host, where the file says which these are."""
    allowed = raw.get("allowed_hosts")
    if not isinstance(allowed, list) or not report.clean(("allowed_hosts",)):
        return
    found = dict(_addresses(raw, ()))
    for name, destination in parts.destinations.items():
        found.setdefault(("destinations", name, "url"), str(getattr(destination.settings, "url", "")))
    for place, address in found.items():
        host = _host(address)
        if host and not is_allowed(host, allowed):
            report.problem(place, f"'{host}' is not among `allowed_hosts`: mend the address, or add the host there")


def is_allowed(host: str, allowed: Sequence[str]) -> bool:
    """Whether one of them is this host, or `*.` and a part of its end."""
    host = host.lower()
    patterns = [each.strip().lower() for each in allowed]
    return any(host.endswith(each[1:]) if each.startswith("*.") else host == each for each in patterns)


def _addresses(part: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Every `url` in the file."""
    if isinstance(part, Mapping):
        for name, value in part.items():
            if name == "url" and isinstance(value, str):
                yield (*place, name), value
            elif not (place == () and name == "kafka"):
                yield from _addresses(value, (*place, name))
    elif isinstance(part, list):
        for index, value in enumerate(part):
            yield from _addresses(value, (*place, index))


def _host(address: str) -> str:
    """Empty for what is no address; its own rule says so."""
    try:
        return urlsplit(address.strip()).hostname or ""
    except ValueError:
        return ""
