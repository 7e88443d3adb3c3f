"""`stream-sync resync`: sends people's newest state once more, read from the source's topic, beside the service.

Invariants:
- Live changes go first: a resync takes a share of the account's rate limit, and what a lane sends meanwhile stays.
- Only `--exits` deletes, only in mode mirror, and within the delete budget.
- Ended at any time, the same command goes on where it was. Exit status 1 = something is left to do.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from stream_sync.commands.arguments import add_activation, opened, since_ms, wrong
from stream_sync.commands.output import how_many, note, result
from stream_sync.commands.statuses import DONE, FAILED
from stream_sync.commands.watching import watching
from stream_sync.config.load import load
from stream_sync.config.problems import did_you_mean
from stream_sync.config.secrets import secrets_in
from stream_sync.config.settings import Activation, Config
from stream_sync.config.sink_types import installed
from stream_sync.observability import logs
from stream_sync.replay.replay import FATE_WORDS, GOOD_FATES
from stream_sync.resync.resync import Report
from stream_sync.resync.resyncing import Resyncing, Sight, Wanted

SHARE = 0.2


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Reads an activation's source from its beginning and sends everybody in the segment as they are "
        "now, beside the running service and at a share of the rate limit. Ended at any time, the same command goes on "
        "where it was."
    )
    add_activation(parser)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--all", action="store_true", help="the whole row of everybody in the segment")
    what.add_argument(
        "--attributes", metavar="A,B", type=_names, help="only these, by their names at the destination, of everybody"
    )
    what.add_argument(
        "--exits",
        metavar="OLD",
        type=Path,
        help="delete whom the `where` of this old config includes and that of `-c` does not (mode mirror)",
    )
    parser.add_argument("--since", metavar="D", help="only rows that changed since then (7d, or a time)")
    parser.add_argument(
        "--share", type=_share, default=SHARE, metavar="P", help="of the account's rate limit (default: 20%%)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say how many it would be")
    parser.add_argument("--anew", action="store_true", help="begin anew where one like it was ended before its end")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    activation = config.activations[args.activation]
    wanted = Wanted(
        attributes=_keys(args, config),
        exits=None if args.exits is None else _old(args, config),
        since=args.since or "",
        since_ms=_since(args),
        share=args.share,
        anew=args.anew,
    )
    if wanted.exits is not None and activation.mode != "mirror":
        result(f"nothing to do: mode {activation.mode} leaves who left the segment as they are")
        return DONE
    return asyncio.run(_resync(args, config, wanted))


async def _resync(args: argparse.Namespace, config: Config, wanted: Wanted) -> int:
    with watching() as watch:
        async with Resyncing(config, args.activation, wanted, watch) as resyncing:
            if resyncing.goes_on and wanted.exits is None and not args.dry_run:
                note("goes on where a resync like this one was ended; --anew begins from the first row")
            report = await (resyncing.count() if args.dry_run else resyncing.run())
    _tell_sight(resyncing.sight, report, config.activations[args.activation])
    if args.dry_run:
        return _tell_plan(report, deletes=wanted.exits is not None)
    status = _tell(report, deletes=wanted.exits is not None)
    if any(fate == "withheld" for fate, _ in report.results):
        asked, left = resyncing.budget.asked, resyncing.budget.left
        note(
            f"nobody was deleted: {asked or 'too many'} people would be, and `deletes.max` lets {left} "
            "more go now, or deletes are held (`stream-sync held`): decide, raise it, and run this again"
        )
    return status


def _tell(report: Report, *, deletes: bool) -> int:
    rows = how_many(report.rows, "row")
    result(f"{rows}:" if report.results else f"{rows}, nothing to do")
    _tell_results(report, "deleted" if deletes else "delivered", deletes=deletes)
    if any(fate == "refused" for fate, _ in report.results):
        note("what was refused is in the dead letters: `stream-sync dlq list`")
    return FAILED if any(fate not in GOOD_FATES for fate, _ in report.results) else DONE


def _tell_plan(report: Report, *, deletes: bool) -> int:
    result(f"{how_many(report.rows, 'row')}, as the source has them now:")
    _tell_results(report, "would be deleted" if deletes else "would be sent", deletes=deletes)
    return DONE


def _tell_results(report: Report, delivered: str, *, deletes: bool) -> None:
    for (fate, code), number in report.results.most_common():
        words = delivered if fate == "delivered" else FATE_WORDS[fate]
        result(f"  {number:>9}  {words}{f': {code}' if code else ''}")
    others = report.rows - report.results.total()
    if deletes and report.results and others > 0:
        result(f"  {others:>9}  no exits: in the segment still, or never in it")


def _tell_sight(sight: Sight, report: Report, activation: Activation) -> None:
    """What it could not see."""
    if sight.trimmed:
        places = ", ".join(f"{number}/{first}" for number, first in sorted(sight.trimmed.items()))
        note(
            f"the topic begins at {places} (retention, or deleted records): rows without a change since then are not "
            "seen; a snapshot of the table brings them"
        )
    if sight.compacted:
        note("the topic is compacted: of each row it keeps the newest record, so a value that this one lacks is lost")
    if report.incomplete:
        note(f"{report.incomplete} rows were sent without a value that no record tells (unchanged TOAST)")
    if report.keyless:
        note(f"{report.keyless} records have no key: their rows cannot be followed, nothing of them is sent")


def _keys(args: argparse.Namespace, config: Config) -> tuple[str, ...]:
    """The chosen names as intents have them."""
    activation = config.activations[args.activation]
    sink = installed()[config.destinations[activation.destination].type]()
    known = {name: sink.key("fields", name) for name in activation.fields}
    known |= {name: sink.key("attributes", name) for name in activation.attributes}
    for name in args.attributes or ():
        if name not in known:
            raise wrong(args, "--attributes", f"'{name}' is not mapped by {args.activation}{did_you_mean(name, known)}")
    return tuple(known[name] for name in args.attributes or ())


def _old(args: argparse.Namespace, config: Config) -> Config:
    """The old config, which must differ in what people leave by, and in nothing that tells who they are."""
    old = load(args.exits, os.environ).config
    for secret in secrets_in(old):
        logs.add_secret(secret.reveal())
    name = args.activation
    if name not in old.activations:
        raise wrong(args, "--exits", f"{args.exits} has no activation '{name}'")
    was, now = old.activations[name], config.activations[name]
    if old.sources[was.source].topic != config.sources[now.source].topic:
        raise wrong(args, "--exits", f"{args.exits} reads another topic: nobody can tell who left between the two")
    if was.identifier != now.identifier:
        raise wrong(args, "--exits", f"{args.exits} has another `identifier`: nobody can tell whom it means here")
    return old


def _since(args: argparse.Namespace) -> int | None:
    if args.since is None:
        return None
    try:
        return since_ms(args.since)
    except argparse.ArgumentTypeError as error:
        raise wrong(args, "--since", str(error)) from None


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("name at least one, as `fields` or `attributes` have it at the destination")
    return names


def _share(text: str) -> float:
    """`20%` or `0.2`."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share of a rate limit: write for instance 20%")
    return share
