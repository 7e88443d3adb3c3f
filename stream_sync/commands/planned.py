"""How a plan is told: as facts for scripts, and from the same facts in lines for people.

Invariants: no key, identifier or value of anybody; numbers that are not exact say so.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from stream_sync.commands.output import how_many
from stream_sync.model import Kind
from stream_sync.rehearsal.history import Decider, History
from stream_sync.rehearsal.outlook import Outlook
from stream_sync.sinks.foreseen import Counted, Load

OPS = {"r": "snapshot", "c": "insert", "u": "update", "d": "delete", "t": "truncate", "tombstone": "tombstone"}
LEFT_OUT = "null_skipped"
"""A count, but nothing to warn of: the config asks for it."""
DAY = 86_400.0


def facts(outlooks: Sequence[Outlook], gone: Sequence[str], since_ms: int | None) -> dict[str, Any]:
    """Everything. `gone`: activations that only the other config has."""
    histories = {id(outlook.history): outlook.history for outlook in outlooks}
    return {
        "since": _iso(since_ms),
        "sources": [_history(history) for history in histories.values()],
        "activations": {outlook.new.found.name: _outlook(outlook) for outlook in outlooks},
        "gone": list(gone),
    }


def lines(found: Mapping[str, Any]) -> Iterator[str]:
    """For people."""
    for source in found["sources"]:
        yield from _source_lines(source, found["since"])
    for name, outlook in found["activations"].items():
        yield ""
        yield from _outlook_lines(name, outlook)
    for name in found["gone"]:
        yield ""
        yield f"{name}  is gone: nothing more is sent, and its people stay at the destination as they are"


def _history(history: History) -> dict[str, Any]:
    return {
        "topic": history.source.topic,
        "records": history.records,
        "changes": dict(sorted((OPS[op], count) for op, count in history.ops.items())),
        "others": dict(history.others),
        "oldest": _iso(history.oldest),
        "newest": _iso(history.newest),
        "days": None if history.oldest is None else round(((history.newest or 0) - history.oldest) / 1000 / DAY, 6),
        "compacted": history.compacted,
        "trimmed": sum(bounds.low > 0 for bounds in history.bounds.values()),
        "partitions": len(history.bounds),
        "before_images": msgspec.structs.asdict(history.images),
    }


def _outlook(outlook: Outlook) -> dict[str, Any]:
    found = outlook.new.found
    comparison = outlook.comparison
    return {
        "mode": found.activation.mode,
        "source": found.activation.source,
        "destination": found.activation.destination,
        "type": found.settings.type,
        "differences": list(outlook.differences),
        "new": _decider(outlook.new, outlook.history),
        "old": None if outlook.old is None else _decider(outlook.old, outlook.history),
        "segment": None
        if comparison is None
        else {
            "leave": len(comparison.leave),
            "enter": len(comparison.enter),
            "more": comparison.leave.is_cut or comparison.enter.is_cut,
        },
    }


def _decider(decider: Decider, history: History) -> dict[str, Any]:
    tally = decider.tally
    kinds = tally.kinds
    return {
        "halts": decider.halted,
        "inserts": kinds["insert"],
        "updates": kinds["update"],
        "updates_by_name": dict(tally.updated.most_common()),
        "deletes": kinds["delete"],
        "unchanged": tally.nothing["unchanged"],
        "nothing": {reason: count for reason, count in sorted(tally.nothing.items()) if reason != "unchanged"},
        "dead_letters": dict(tally.letters.most_common()),
        "warnings": dict((decider.notices.codes + tally.warnings + history.notices.codes).most_common()),
        "delete_budget": _budget(decider),
        "people": tally.people.size,
        "loads": _loads(decider, tally.counted),
        "rounded": tally.is_rounded,
        "first_load": _loads(decider, [_whole_row(decider, tally.people.size)] if tally.people.size else []),
    }


def _budget(decider: Decider) -> dict[str, Any] | None:
    watch, deletes = decider.tally.deletes, decider.found.activation.deletes
    if watch is None or deletes is None:
        return None
    most, at = watch.peak()
    return {
        "max": deletes.max,
        "per": deletes.per,
        "most": most,
        "at": None if at is None else _iso(round(at * 1000)),
        "exceeded": most > deletes.max,
        "cancelled": watch.cancelled,
        "gone": len(decider.tally.gone),
    }


def _whole_row(decider: Decider, people: int) -> Counted:
    plan = decider.plan
    kind: Kind = "update" if decider.found.activation.mode == "update" else "insert"
    return Counted(kind, plan.identifier[0].name, tuple(target.name for target in plan.targets), people)


def _loads(decider: Decider, counted: Sequence[Counted]) -> list[dict[str, Any]]:
    found = decider.found
    if not counted:
        return []
    loads = found.sink.loads(found.settings, counted, found.activation.mode, found.activation.batch.max_records)
    return [_load(load) for load in loads]


def _load(load: Load) -> dict[str, Any]:
    return {
        "limit": load.limit,
        "fewest": load.fewest,
        "most": load.most,
        "rate": str(load.rate),
        "seconds": round(load.seconds(load.most), 6),
        "data_points": load.data_points,
        "quota_a_day": load.a_day,
        "quota_days": None if load.a_day is None else round(load.most / load.a_day, 4),
    }


def _source_lines(source: Mapping[str, Any], since: str | None) -> Iterator[str]:
    if source["oldest"] is None:
        yield f"{source['topic']}: {source['records']:,} records, no row changes" + (f" since {since}" if since else "")
        return
    yield (
        f"{source['topic']}: {source['records']:,} records, committed from {source['oldest']} to {source['newest']} "
        f"({_duration(source['days'] * DAY)})"
    )
    yield f"  {_counts({**source['changes'], **source['others']})}"
    yield f"  before images: {_images(source['before_images'])}"
    if source["compacted"]:
        yield "  the topic is compacted: of older changes only each row's last is left, and every update is sent whole"
    elif source["trimmed"]:
        yield f"  {source['trimmed']} of {source['partitions']} partitions have lost their oldest records to retention"
    else:
        yield "  nothing is missing: every partition still begins at its first record"
    if since is not None:
        yield f"  only what came to Kafka since {since} was read"


def _images(images: Mapping[str, int]) -> str:
    changes = images["changes"]
    if not changes:
        return "no update or delete came"
    full = changes - images["without"] - images["partial"] - images["key_only"]
    told = f"{full:,} of {changes:,} updates and deletes ({full / changes:.1%}) tell the whole row as it was"
    parts = [
        (images["without"], "tell none"),
        (images["partial"], "lack a column that is read (unchanged TOAST, or missing)"),
        (images["key_only"], "are deletes that tell only the key (no REPLICA IDENTITY FULL)"),
    ]
    return "; ".join([told, *(f"{count:,} {what}" for count, what in parts if count)])


def _outlook_lines(name: str, outlook: Mapping[str, Any]) -> Iterator[str]:
    new, old = outlook["new"], outlook["old"]
    yield f"{name}  {outlook['mode']} of {outlook['source']} in {outlook['destination']} ({outlook['type']})"
    for difference in outlook["differences"]:
        yield f"  changes      {difference}"
    for side, which in ((new, "" if old is None else "the new one, "), (old, "the old one, ")):
        if side is not None and side["halts"]:
            yield f"  halts        {which}{side['halts']}"
    yield from _table(new, old)
    if new["delete_budget"] is not None:
        yield from _budget_lines(new["delete_budget"])
    yield from _load_lines("requests", new["loads"])
    if new["loads"]:
        yield "               if no two intents of a person merge while they wait; batches are full"
    if new["first_load"]:
        yield from _load_lines("first load", new["first_load"])
        yield f"               of about {_people(new['people'])} that it writes, each once with the whole row"
    if (segment := outlook["segment"]) is not None:
        yield from _segment_lines(name, outlook["mode"], segment)


def _segment_lines(name: str, mode: str, segment: Mapping[str, Any]) -> Iterator[str]:
    more = "at least " if segment["more"] else ""
    resync = f"stream-sync resync -c NEW --activation {name}"
    if segment["leave"]:
        yield (
            f"  leave        {more}{_people(segment['leave'])} whom the old one has in its segment and the new one has "
            "not: no row change tells it, so who left stays"
        )
        if mode == "mirror":
            yield f"               once it runs `{resync} --exits OLD` deletes them"
    if segment["enter"]:
        yield (
            f"  enter        {more}{_people(segment['enter'])} whom only the new one has in its segment: sent with "
            "their next change"
        )
        yield f"               once it runs `{resync} --all` sends them at once"


def _people(number: int) -> str:
    return how_many(number, "person", "people")


def _table(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[str]:
    rows = list(_rows(new, old))
    numbers = [[f"{each:,}" for each in values] for _, values in rows]
    width = max(len(label) for label, _ in rows)
    widths = [max(map(len, column)) for column in zip(*numbers, strict=True)]
    if old is not None:
        widths = [max(each, 3) for each in widths]
        yield f"  {'':{width}}  {'new':>{widths[0]}}  {'old':>{widths[1]}}"
    for (label, _), row in zip(rows, numbers, strict=True):
        cells = "  ".join(cell.rjust(each) for cell, each in zip(row, widths, strict=True))
        yield f"  {label:{width}}  {cells}"


def _rows(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> Iterator[tuple[str, tuple[int, ...]]]:
    sides = [new] if old is None else [new, old]
    yield "inserts", tuple(side["inserts"] for side in sides)
    yield "updates", tuple(side["updates"] for side in sides)
    yield from _under(sides, "updates_by_name", "of ")
    yield "deletes", tuple(side["deletes"] for side in sides)
    yield "unchanged", tuple(side["unchanged"] for side in sides)
    unseen = tuple(side["nothing"].get("unseen", 0) for side in sides)
    if any(unseen):
        yield "deletes, if the state knows them", unseen
    others = (sum(side["nothing"].values()) for side in sides)
    yield "others, nothing to do", tuple(every - asked for every, asked in zip(others, unseen, strict=True))
    yield "dead letters", tuple(sum(side["dead_letters"].values()) for side in sides)
    yield from _under(sides, "dead_letters", "")
    for code in _names(side["warnings"] for side in sides):
        label = "values left out as NULL" if code == LEFT_OUT else f"warning {code}"
        yield label, tuple(side["warnings"].get(code, 0) for side in sides)


def _under(sides: Sequence[Mapping[str, Any]], what: str, word: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    for name in _names(side[what] for side in sides):
        yield f"  {word}{name}", tuple(side[what].get(name, 0) for side in sides)


def _names(parts: Iterable[Mapping[str, int]]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))


def _budget_lines(budget: Mapping[str, Any]) -> Iterator[str]:
    allowed = f"{budget['max']:,} in {_duration(budget['per'])}"
    if not budget["most"]:
        yield f"  budget       no delete; {allowed} are allowed"
        return
    when = "one run has them all" if budget["at"] is None else budget["at"]
    told = f"at most {how_many(budget['most'], 'delete')} counted at once ({when}), {allowed} are allowed"
    if budget["exceeded"]:
        told += ": they WOULD BE HELD, for a person to decide (`stream-sync held`)"
    yield f"  budget       {told}"
    yield (
        f"               {budget['cancelled']:,} cancelled by a write while they waited; read from the start, "
        f"{_people(budget['gone'])} left to delete at the end"
    )


def _load_lines(what: str, loads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for load in loads:
        count = f"{load['most']:,}" if load["fewest"] == load["most"] else f"{load['fewest']:,} to {load['most']:,}"
        requests = "1 request" if count == "1" else f"{count} requests"
        told = f"{load['limit']}: {requests}, {_duration(load['seconds'])} at {load['rate']}"
        if load["quota_days"] is not None:
            days = load["quota_days"]
            part = f"{days:.1f} days'" if days >= 1 else f"{days:.0%} of a day's"
            told += f"; {part} quota of {load['quota_a_day']:,}"
        if load["data_points"] is not None:
            told += f"; {load['data_points']:,} data points"
        yield f"  {what:<12} {told}"
        what = ""


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in Counter(counts).most_common())


def _duration(seconds: float) -> str:
    if 0 < seconds < 1:
        return "less than 1 s"
    for unit, size in (("days", DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= size:
            return f"{round(seconds / size, 1):g} {unit}"
    return f"{round(seconds, 1):g} s"


def _iso(ms: int | None) -> str | None:
    if ms is None:
        return None
    try:
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)).strftime("%Y-%m-%dT%H:%M:%SZ")
    except OverflowError:
        return "at no time of the calendar"
