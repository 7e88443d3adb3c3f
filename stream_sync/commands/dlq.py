"""`stream-sync dlq`: the dead letters of an activation: which there are, one in full, and their replay.

Invariants:
- `list` and `show` change nothing. `replay` sends what the letters' rows are now, never what a letter says.
- Exit status 1 of `replay` = some of the letters are still open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Mapping

from stream_sync.commands.arguments import add_activation, count, duration, opened, wrong
from stream_sync.commands.letters import (
    LINES,
    add_place,
    add_selection,
    as_object,
    selection_of,
    tell_counts,
    tell_letters,
    text_of,
)
from stream_sync.commands.output import how_many, note, result, tell_failure
from stream_sync.commands.statuses import DONE, FAILED
from stream_sync.commands.watching import watching
from stream_sync.config.settings import Config
from stream_sync.errors import StreamSyncError
from stream_sync.kafka.put_aside import Kept, Letter
from stream_sync.replay.desk import Desk, dead_letters
from stream_sync.replay.replay import FATE_WORDS, GOOD_FATES, Result


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = "What destinations or the service refused for good, each a source record with its reason."
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="which there are, by code and one a line", allow_abbrev=False)
    add_activation(listing)
    add_selection(listing)
    listing.add_argument("--limit", type=count, default=LINES, metavar="N", help=f"lines at most (default: {LINES})")
    listing.add_argument("--all", action="store_true", help="those that were replayed as well")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    listing.add_argument("--show-values", action="store_true", help="show keys, which are people's data")
    showing = actions.add_parser("show", help="one letter in full", allow_abbrev=False)
    add_activation(showing)
    add_place(showing, required=True)
    showing.add_argument("--show-values", action="store_true", help="show key, value and headers: people's data")
    replaying = actions.add_parser(
        "replay",
        help="send each letter's person as they are now",
        description="Reads the source's topic forward from the oldest letter, and sends each letter's row as it is "
        "now, or its delete. May run beside the service, and again: it changes nothing then.",
        allow_abbrev=False,
    )
    add_activation(replaying)
    add_selection(replaying)
    add_place(replaying, required=False)
    replaying.add_argument("--limit", type=count, metavar="N", help="this many letters at most")
    replaying.add_argument("--dry-run", action="store_true", help="only say what would be sent")
    replaying.add_argument(
        "--force",
        action="store_true",
        help="with --partition and --offset: even where the source's topic lost the letter's record, by the letter's "
        "own copy. It can bring back a person who was erased",
    )
    replaying.add_argument("--timeout", type=duration, metavar="D", help="give up after this long (10s, 5m …)")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    if args.action == "list":
        return asyncio.run(_list(args, config))
    if args.action == "show":
        return asyncio.run(_show(args, config))
    if args.force and (args.partition is None or args.offset is None):
        raise wrong(args, "--force", "is for one letter: name it with --partition and --offset")
    try:
        return asyncio.run(asyncio.wait_for(_replay(args, config), args.timeout))
    except TimeoutError:
        tell_failure("the time was over before everything was sent; run it again, it does no harm")
        return FAILED


async def _list(args: argparse.Namespace, config: Config) -> int:
    put_aside, selection = dead_letters(config, args.activation), selection_of(args)
    counts: Counter[str] = Counter()
    shown: list[Letter] = []
    async for letter, _record in put_aside.read(done=args.all):
        if selection.has(letter):
            counts[letter.code] += 1
            if len(shown) < args.limit:
                shown.append(letter)
    if args.json:
        letters = [as_object(letter, show=args.show_values) for letter in shown]
        result(json.dumps({"topic": put_aside.topic, "codes": counts, "letters": letters}, indent=2))
        return DONE
    tell_counts(counts, "dead letter" if args.all else "open dead letter", put_aside.topic)
    if shown:
        result("")
        tell_letters(shown, show=args.show_values)
    if counts.total() > len(shown):
        note(f"{counts.total() - len(shown)} more; see --limit")
    return DONE


async def _show(args: argparse.Namespace, config: Config) -> int:
    letter, record = await _one(args, config)
    shown = as_object(letter, show=args.show_values)
    value = record.value()
    shown["value_bytes"] = None if value is None else len(value)
    shown["value_sha256"] = None if letter.digest is None else letter.digest.hex()
    if args.show_values:
        shown["value"] = text_of(value)
        shown["headers"] = [[name, text_of(data)] for name, data in record.headers() or ()]
    result(json.dumps(shown, indent=2, ensure_ascii=False))
    return DONE


async def _one(args: argparse.Namespace, config: Config) -> tuple[Letter, Kept]:
    put_aside = dead_letters(config, args.activation)
    found = await put_aside.record(args.partition, args.offset)
    if found is None:
        raise StreamSyncError(
            f"{put_aside.topic} has no letter at {args.partition}/{args.offset}: see `stream-sync dlq list --all`"
        )
    letter, record = found
    return letter, Kept(letter, record)


async def _replay(args: argparse.Namespace, config: Config) -> int:
    put_aside = dead_letters(config, args.activation)
    with watching() as watch:
        async with Desk(config, args.activation, watch) as desk:
            await desk.gather(put_aside, selection_of(args), args.limit, force=args.force)
            if not desk.letters and args.partition is not None and args.offset is not None:
                await desk.want(*await _one(args, config), force=args.force)
            if not desk.letters:
                result(f"no open dead letter is meant in {put_aside.topic}")
                return DONE
            if args.dry_run:
                planned = await desk.plan()
                fates = Counter(each.fate for each in (*planned.results.values(), *_unread(desk.letters)))
                letters, rows = how_many(len(desk.letters), "letter"), how_many(len(desk.rows.wanted), "row")
                result(f"{letters} of {rows}, as the source has them now:")
                result(f"  {len(planned.writes):>7}  would be sent whole")
                result(f"  {sum(map(len, planned.deletes.values())):>7}  would be deleted")
                for fate, number in fates.most_common():
                    result(f"  {number:>7}  {FATE_WORDS[fate]}")
                return DONE
            results = await desk.run()
            await put_aside.mark(desk.marks(put_aside, results))
    return tell_results(results)


def tell_results(results: Mapping[Letter, Result]) -> int:
    """What became of the letters, by fate and by reason; the exit status."""
    fates = Counter((each.fate, each.code) for each in results.values())
    result(f"{how_many(len(results), 'letter')}:")
    for (fate, code), number in fates.most_common():
        result(f"  {number:>7}  {FATE_WORDS[fate]}{f': {code}' if code else ''}")
    left = [(letter, each) for letter, each in results.items() if each.fate not in GOOD_FATES]
    for letter, each in left[:LINES]:
        note(f"{letter.partition}/{letter.offset} stays open: {each.code}{f': {each.message}' if each.message else ''}")
    if any(each.code in ("deletes_held", "delete_budget") for _, each in left):
        note(
            "A replay deletes nobody while deletes are held (see `stream-sync held`), nor more people at once than "
            "`deletes.max` (see --limit)"
        )
    return FAILED if left else DONE


def _unread(letters: Mapping[Letter, Result | None]) -> list[Result]:
    return [each for each in letters.values() if each is not None]
