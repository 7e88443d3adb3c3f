"""What the demo says before and after it is watched.

Invariants: every command it names can be typed as it stands where the demo was started.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.text import Text

from stream_sync.sandbox.demo_config import LANES, MIRROR, SLOW_MIRROR, UPDATE, UPSERT, letters_of
from stream_sync.sandbox.demo_stage import Letter, Verdict

MOST_DIFFERENCES = 10
CONFIG, EDITED = "demo.yaml", "edited.yaml"
"""In the demo's folder: what it runs with, and the same with a smaller segment."""
_MEANING = {
    MIRROR: "exactly the people whose rows are in the segment",
    UPDATE: "exactly the people it knew before, with their rows' scores",
    UPSERT: "exactly the people who were platinum once, as they were then",
    SLOW_MIRROR: "exactly the people whose rows are in its segment",
}
_DOING = {
    MIRROR: "mirrors a segment into",
    UPDATE: "updates the people who are known in",
    UPSERT: "puts a segment into",
    SLOW_MIRROR: "mirrors a segment into",
}


def tell_beginning(console: Console) -> None:
    lanes = "".join(
        f"\n  {lane.activation:15}{_DOING[lane]} {lane.workspace} at {lane.vendor.capitalize()}" for lane in LANES
    )
    _tell(
        console,
        "A generated warehouse whose rows change, Kafka, Braze, Voyado and Crisp: all on this machine, all made up.\n"
        f"One table feeds them all, each at its own pace:{lanes}\n",
    )


def tell_letters(console: Console, letters: Sequence[Letter]) -> None:
    """What was refused for good, and why."""
    for letter in letters:
        text = Text.assemble(
            ("\nDEAD LETTER  ", "bold red"),
            f"{letter.who} of {letter.activation}, {letter.code}\n  {letter.message}\n",
            (f"  The record is kept byte for byte in {letters_of(letter.activation)}; it was {letter.place}", "dim"),
        )
        _tell(console, text)


def tell_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    """Whether the workspaces hold what the warehouse says."""
    _tell(console, "")
    for verdict in verdicts:
        lane = verdict.lane
        if not verdict.differences:
            what = f"{lane.workspace} at {lane.vendor.capitalize()} holds {_MEANING[lane]}"
            counts = f" ({verdict.people:,} people, {verdict.values:,} values)"
            _tell(console, Text.assemble(("OK  ", "bold green"), what, (counts, "dim")))
            continue
        _tell(console, Text.assemble(("DIFFERS  ", "bold red"), f"{lane.workspace} ({lane.activation})"))
        for difference in verdict.differences[:MOST_DIFFERENCES]:
            _tell(console, f"  {difference}")
        if (more := len(verdict.differences) - MOST_DIFFERENCES) > 0:
            _tell(console, f"  and {more:,} more")


def tell_where_next(console: Console, folder: Path, letters: Sequence[Letter], kafka: int, stays: int) -> None:
    """After the demo, whose Kafka is a process that stays for some seconds."""
    program = _program()
    _tell(console, f"\nOf what just ran; its Kafka stays for {stays // 60} minutes (process {kafka}):")
    _tell_list(console, _commands(program, folder, letters))
    _tell_list(
        console,
        {
            "its config": f"{folder / CONFIG}",
            "check it": f"{program} validate -c {folder / CONFIG}",
            "look at the people": f"{program} demo --keep-going",
            "what was shown": "docs/demo.md",
            "your own table": "README.md, then docs/config.md",
        },
    )


def tell_look_around(console: Console, folder: Path, sandbox: str, service: str, letters: Sequence[Letter]) -> None:
    """While the demo keeps going."""
    _tell_list(
        console,
        {
            "the people": sandbox,
            "the service's console": service,
            "its metrics": f"{service}/metrics",
            "the config": f"{folder / CONFIG}",
            "the service's log": f"{folder / 'service.log'}",
        },
    )
    _tell(console, "\nIn a second terminal, of what just ran:")
    _tell_list(console, _commands(_program(), folder, letters))
    _tell(console, "")


def _commands(program: str, folder: Path, letters: Sequence[Letter]) -> dict[str, str]:
    """What can be asked while the demo's Kafka is there, and how."""
    config = folder / CONFIG
    commands = {
        "what is sent": f"{program} preview -c {config} --activation {MIRROR.activation}",
        "plan an edit": f"{program} plan -c {folder / EDITED} --against {config} --activation {MIRROR.activation}",
    }
    refused = next((letter.who for letter in letters if letter.activation == MIRROR.activation), None)
    if refused is not None:
        explain = f"{program} explain -c {config} --activation {MIRROR.activation} --key {refused}"
        commands["why is one not there"] = explain
    return commands


def _tell_list(console: Console, lines: Mapping[str, str]) -> None:
    _tell(console, "")
    width = max(map(len, lines)) + 2
    for name, text in lines.items():
        # Never broken: what a terminal wraps is copied as one line.
        console.print(Text.assemble((name.ljust(width), "dim"), text), soft_wrap=True)


def _program() -> str:
    """How the program was called, where its bare name would not find it."""
    called = Path(sys.argv[0])
    if called.name != "stream-sync":
        return f"{os.path.relpath(sys.executable)} -m stream_sync"
    found = shutil.which("stream-sync")
    return "stream-sync" if found and Path(found).samefile(called) else os.path.relpath(called)


def _tell(console: Console, text: Text | str) -> None:
    console.print(text, soft_wrap=not console.is_terminal, highlight=False, markup=False)
