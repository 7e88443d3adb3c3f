"""`stream-sync held`: the Deletes that the delete budget parked: which there are, sending or dropping them.

Invariants:
- `release` deletes only who is still to be deleted as the source has them now; both `release` and `discard` ask first,
  or need `--yes`.
- What is done with is committed first and then erased from the topic, so that the latch stays open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter

from stream_sync.commands.arguments import add_activation, count, opened, wrong
from stream_sync.commands.letters import LINES, as_object, tell_letters
from stream_sync.commands.output import note, result
from stream_sync.commands.statuses import DONE, FAILED
from stream_sync.commands.watching import watching
from stream_sync.config.settings import Config
from stream_sync.kafka.marks import Marks
from stream_sync.kafka.put_aside import Letter, PutAside
from stream_sync.replay.desk import Desk, parked
from stream_sync.replay.replay import GOOD_FATES
from stream_sync.replay.selection import Selection
from stream_sync.replay.settled import settle_held


def add(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "The deletes that exceeded an activation's delete budget. While there are any, every further "
        "delete is parked as well; running lanes notice within 10 seconds that there are none left."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="how many and which", allow_abbrev=False)
    add_activation(listing)
    listing.add_argument("--limit", type=count, default=LINES, metavar="N", help=f"lines at most (default: {LINES})")
    listing.add_argument("--json", action="store_true", help="one JSON document")
    listing.add_argument("--show-values", action="store_true", help="show keys, which are people's data")
    releasing = actions.add_parser("release", help="delete those who are still gone", allow_abbrev=False)
    add_activation(releasing)
    releasing.add_argument("--dry-run", action="store_true", help="only say how many are still to be deleted")
    releasing.add_argument("--yes", action="store_true", help="do not ask")
    discarding = actions.add_parser("discard", help="drop them: nobody is deleted", allow_abbrev=False)
    add_activation(discarding)
    discarding.add_argument("--yes", action="store_true", help="do not ask")


def execute(args: argparse.Namespace) -> int:
    config = opened(args)
    if args.action == "list":
        return asyncio.run(_list(args, config))
    if not args.yes and not sys.stdin.isatty() and not getattr(args, "dry_run", False):
        raise wrong(args, "--yes", "is needed where nobody can be asked")
    return asyncio.run((_release if args.action == "release" else _discard)(args, config))


async def _list(args: argparse.Namespace, config: Config) -> int:
    put_aside = parked(config, args.activation)
    total, shown = 0, list[Letter]()
    async for letter, _record in put_aside.read():
        total += 1
        if len(shown) < args.limit:
            shown.append(letter)
    if args.json:
        letters = [as_object(letter, show=args.show_values) for letter in shown]
        result(json.dumps({"topic": put_aside.topic, "held": total, "letters": letters}, indent=2))
        return DONE
    result(f"{total} held {_deletes(total)} in {put_aside.topic}")
    if shown:
        result("")
        tell_letters(shown, show=args.show_values)
    if total > len(shown):
        note(f"{total - len(shown)} more; see --limit")
    return DONE


async def _release(args: argparse.Namespace, config: Config) -> int:
    put_aside = parked(config, args.activation)
    with watching() as watch:
        async with Desk(config, args.activation, watch, release=True) as desk:
            await desk.gather(put_aside, Selection())
            if not desk.letters:
                result(f"nothing is held in {put_aside.topic}")
                return DONE
            planned = await desk.plan()
            still = sum(map(len, planned.deletes.values()))
            fates = Counter(each.fate for each in planned.results.values())
            expired, unsure = fates["superseded_or_expired"], fates["unsettled"]
            superseded = len(desk.rows.wanted) - len(planned.deletes) - expired - unsure
            result(f"{len(desk.letters)} held {_deletes(len(desk.letters))}, as the source has the rows now:")
            result(f"  {still:>7}  people are still to be deleted")
            result(f"  {superseded:>7}  superseded: the row is there again, or another row is the person")
            if expired:
                result(f"  {expired:>7}  superseded_or_expired: the source no longer tells, so nobody is deleted")
            if unsure:
                result(f"  {unsure:>7}  cannot be decided: they stay held")
            if args.dry_run:
                return DONE
            with watch.silent():
                if not _confirmed(args, f"Delete {still} people at the destination for good?"):
                    return FAILED
            results = await desk.run()
            marks = desk.marks(put_aside, results)
    await _mark(put_aside, marks)
    deleted = sum({letter.row: each.deleted for letter, each in results.items()}.values())
    left = [(letter, each) for letter, each in results.items() if each.fate not in GOOD_FATES]
    result(f"{deleted} deleted, {len(results) - len(left)} of {len(results)} held {_deletes(len(results))} released")
    for letter, each in left[:LINES]:
        note(f"{letter.partition}/{letter.offset} stays held: {each.code}{f': {each.message}' if each.message else ''}")
    return FAILED if left else DONE


async def _discard(args: argparse.Namespace, config: Config) -> int:
    put_aside = parked(config, args.activation)
    total = 0
    async for _letter in put_aside.read():
        total += 1
    if not total:
        result(f"nothing is held in {put_aside.topic}")
        return DONE
    if not _confirmed(args, f"Drop {total} held {_deletes(total)}? These people stay at the destination."):
        return FAILED
    await _mark(put_aside, {number: Marks(end) for number, end in put_aside.ends.items() if end > 0})
    result(f"{total} held {_deletes(total)} discarded")
    return DONE


async def _mark(put_aside: PutAside, marks: dict[int, Marks]) -> None:
    """Marks what is done with; tells what keeps the latch from opening."""
    left = await settle_held(put_aside, marks)
    if left.not_erased:
        note(
            f"{put_aside.topic} keeps what is done with: deleting its records is refused ({left.not_erased}). Kafka "
            "forgets after `offsets.retention.minutes` that it is, and then deletes are held again"
        )
    if left.more:
        note(
            f"{left.more} more {_deletes(left.more)} came to be held meanwhile: nothing opens before they are decided "
            "as well"
        )


def _confirmed(args: argparse.Namespace, question: str) -> bool:
    if args.yes:
        return True
    answer = input(f"{question} [y/N] ")
    if answer.strip().lower() in ("y", "yes"):
        return True
    note("nothing was done")
    return False


def _deletes(number: int) -> str:
    return "delete" if number == 1 else "deletes"
