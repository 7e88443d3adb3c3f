"""One activation against its source and its destination (design: The config file, What every change means)."""

from __future__ import annotations

from stream_sync.config.problems import Place, Report, did_you_mean
from stream_sync.config.rules.expressions import Parsed, parse_all
from stream_sync.config.rules.parts import Destination, Parts
from stream_sync.config.settings import Activation, Source
from stream_sync.sinks.base import MappedName

_ENTRIES = ("fields", "attributes", "identifier", "deletes", "batch", "dead_letters")


def check_activation(name: str, parts: Parts, report: Report) -> None:
    """Everything that can be known to be wrong before the first record; of a draft, as far as it goes."""
    activation, place = parts.activations[name], ("activations", name)
    for what, known in (("source", parts.written["sources"]), ("destination", parts.written["destinations"])):
        if (wanted := getattr(activation, what)) not in known and report.clean((*place, what)):
            report.problem((*place, what), f"'{wanted}' is not a {what} of this file{did_you_mean(wanted, known)}")
    parsed = parse_all(activation, place, report)
    if report.clean((*place, "mode")) and report.clean((*place, "deletes")):
        _check_deletes(activation, place, report)
    if not activation.fields and not activation.attributes and report.clean((*place, "fields")):
        report.warning(place, "maps no `fields` and no `attributes`: only the identifier is sent")
    if activation.warnings is not None and activation.warnings.notify is not None:
        wanted = activation.warnings.notify
        if wanted not in parts.written["notify"] and report.clean((*place, "warnings", "notify")):
            near = did_you_mean(wanted, parts.written["notify"]) or "; the file has no `notify`: add it at its top"
            report.problem((*place, "warnings", "notify"), f"'{wanted}' is not a target of this file{near}")
    if source := parts.sources.get(activation.source):
        has_state = parts.has_state and activation.state == "on"
        _check_source(activation, source, parsed, place, report, has_state=has_state)
    if destination := parts.destinations.get(activation.destination):
        _check_destination(activation, destination, place, report)
        if activation.on_identifier_change == "rename":
            _check_renames(activation, parts, parsed, place, report)


def _check_deletes(activation: Activation, place: Place, report: Report) -> None:
    if activation.mode == "mirror" and activation.deletes is None:
        advice = "add its guard, for instance `deletes: {after: 60s, max: 500, per: 1h}`"
        report.problem((*place, "deletes"), f"is missing: a mirror deletes people; {advice}")
    if activation.mode != "mirror" and activation.deletes is not None:
        report.problem((*place, "deletes"), f"is for mode mirror only; mode {activation.mode} never deletes: remove it")


def _check_source(
    activation: Activation, source: Source, parsed: Parsed, place: Place, report: Report, *, has_state: bool
) -> None:
    origin = ("sources", activation.source)
    told = not report.clean((*origin, "before")) or not report.clean((*origin, "format"))
    if activation.mode == "mirror" and not source.shows_before and not told:
        cure = f"make the table REPLICA IDENTITY FULL and set `before: full` in sources.{activation.source}"
        if source.format == "flattened":
            cure = f"a flattened topic never shows more; have it hold envelopes (no ExtractNewRecordState), {cure}"
        if activation.where is not None and not has_state:
            state = "have a `state` at the top of the file, which knows who was written"
            report.problem(
                (*place, "where"),
                f"a mirror cannot see who leaves it while only keys come in before: {cure}; or, identified by all "
                f"key columns, {state}",
            )
        for name, expression in parsed.identifier.items():
            outside = sorted({*expression.columns} - {*source.key}) if source.key is not None else []
            if outside:
                unknown = (
                    f"a mirror cannot tell whom to delete: {', '.join(outside)} is not of the key {_list(source.key)}"
                )
                report.problem((*place, "identifier", name), f"{unknown}; identify by key columns, or {cure}")
            others = sorted({*(source.key or ())} - {*expression.columns})
            if others and not outside and has_state and activation.where is not None:
                several = (
                    f"of the key {_list(source.key or ())} it lacks {', '.join(others)}: one person may have several "
                    "rows, and one outside of the segment would delete them although another is in it"
                )
                report.problem((*place, "identifier", name), f"{several}; identify by the whole key, or {cure}")
    if source.types and "*" not in source.types and source.encoding != "avro":
        untyped = [column for column in parsed.columns() if column not in source.types]
        if untyped:
            why = "if the topic is JSON without schemas the lane will halt with types_missing"
            report.warning(place, f"{', '.join(untyped)} not in `types` of sources.{activation.source}; {why}")


def _check_destination(activation: Activation, destination: Destination, place: Place, report: Report) -> None:
    sink, kind = destination.sink, destination.settings.type
    if activation.mode not in sink.modes:
        possible = ", ".join(mode for mode in ("update", "upsert", "mirror") if mode in sink.modes)
        why = "has no deletes, so mirror" if activation.mode == "mirror" else f"cannot do {activation.mode}, so it"
        report.problem((*place, "mode"), f"{kind} {why} is not possible; it is one of: {possible}")
    if set(activation.identifier) not in sink.identifiers and activation.identifier:
        known = sorted({name for names in sink.identifiers for name in names})
        unknown = [name for name in activation.identifier if name not in known]
        for name in unknown:
            report.problem(
                (*place, "identifier", name), f"{kind} has no identifier '{name}'{did_you_mean(name, known)}"
            )
        if not unknown:
            sets = " | ".join(" and ".join(sorted(names)) for names in sink.identifiers)
            report.problem((*place, "identifier"), f"{kind} does not take these together; it takes {sets}")
    if activation.nulls is not None and activation.nulls not in sink.allowed_nulls:
        allowed = " or ".join(sorted(sink.allowed_nulls))
        report.problem((*place, "nulls"), f"'{activation.nulls}' is not possible at {kind}; use {allowed}")
    _check_names(activation, destination, place, report)


def _check_renames(activation: Activation, parts: Parts, parsed: Parsed, place: Place, report: Report) -> None:
    """Whether a changed identifier can be seen, and be changed at the destination; one reason is enough."""
    at = (*place, "on_identifier_change")
    destination, source = parts.destinations[activation.destination], parts.sources.get(activation.source)
    possible, kind = destination.sink.renames, destination.settings.type
    if not possible.intersection(activation.identifier):
        if report.clean((*place, "identifier")):
            of = f"{kind} can rename people by {' or '.join(sorted(possible))} only" if possible else f"{kind} cannot"
            report.problem(at, f"'rename' is not possible: {of}; remove it")
        return
    if source is None:
        return
    origin = ("sources", activation.source)
    if not source.shows_before:
        if report.clean((*origin, "before")) and report.clean((*origin, "format")):
            cure = f"make the table REPLICA IDENTITY FULL and set `before: full` in sources.{activation.source}"
            if source.format == "flattened":
                cure = "a flattened topic never shows it; have it hold envelopes (no ExtractNewRecordState)"
            report.problem(at, f"'rename' needs the identifier before the change: {cure}, or remove it")
        return
    for name in possible.intersection(parsed.identifier):
        columns = {*parsed.identifier[name].columns}
        if source.key is not None and columns and columns <= {*source.key}:
            why = "its change comes as a delete and a create of two rows; remove this, or have another key"
            report.problem(at, f"'rename' never happens: {name} is made of the key {_list(source.key)}, and {why}")


def _check_names(activation: Activation, destination: Destination, place: Place, report: Report) -> None:
    mapped = [MappedName("fields", name) for name in activation.fields]
    mapped += [MappedName("attributes", name) for name in activation.attributes]
    first: dict[str, MappedName] = {}
    for one in mapped:
        other = first.setdefault(destination.sink.key(one.section, one.name), one)
        if other is not one:
            report.problem(
                (*place, one.section, one.name),
                f"is the same at {destination.settings.type} as {other.section}.{other.name}; map it once",
            )
    identifiers = list(activation.identifier)
    for finding in destination.sink.check(destination.settings, activation.mode, identifiers, mapped):
        if finding.setting and not report.clean(("destinations", activation.destination, finding.setting)):
            continue
        at = (*place, *_entry(finding.place))
        if finding.severity == "warning":
            report.warning(at, finding.message)
        elif report.clean(at) or not finding.place.startswith(("mode", "identifier")):
            report.problem(at, finding.message)  # a wrong mode or identifier was told above, in the same words for all


def _entry(place: str) -> Place:
    """`fields.person.nickname` is the entry `person.nickname` of `fields`."""
    section, dot, name = place.partition(".")
    return (section, name) if dot and section in _ENTRIES else (place,)


def _list(names: tuple[str, ...] | None) -> str:
    return f"({', '.join(names or ())})"
