"""Every code of a warning: what it says and what to do. docs/warnings.md is made of it: `python -m stream_sync.codes`.

Invariants:
- A code is a word of `a-z0-9_`, said in one place of the source at least (a test looks); a new one is a row here, and
  the page written anew.
- A meaning and a cure stand by themselves: people read them in a chat and in mails, beside the names and the message of
  what happened. A link leads to more; it is no cure.
"""

from __future__ import annotations

import re
import sys
from typing import NamedTuple

_IN_BRACKETS = re.compile(r"\(\[([^\]]*)\]\(([^)]*)\)\)")
_LINK = re.compile(r"\[([^\]]*)\]\(([^)]*)\)")


class Code(NamedTuple):
    """One code; the texts are Markdown, links as from docs/."""

    code: str
    meaning: str
    cure: str


WARNINGS = (
    Code(
        "column_missing",
        "records lack a column that is mapped; its value is not sent, what the destination has stays",
        "mend the mapping, or the connector's column list",
    ),
    Code(
        "null_default_suspect",
        "a NULL may have arrived as the column's DEFAULT",
        "set `replace.null.with.default=false` on the connector's converters "
        "([all of it](formats.md#null-that-arrives-as-a-default)), then a snapshot; nothing, if the rows do hold "
        "that value",
    ),
    Code(
        "value_truncated",
        "a text was cut to what the destination takes",
        "where it matters which part stays, cut it in the mapping: `left(bio, 255)`",
    ),
    Code(
        "value_unrepresentable",
        "a value that the destination cannot hold (NaN, an infinite date …) was left out",
        "write an expression in the mapping that gives another value for it",
    ),
    Code(
        "null_skipped",
        "a NULL was left out, as the config says; counted only, told nowhere",
        "nothing; or `nulls: unset`",
    ),
    Code(
        "identifier_missing",
        "a row in the segment has no identifier: nobody is written. In a mirror, who had one is deleted",
        "fill it, or exclude such rows in `where`",
    ),
    Code(
        "identifier_not_key",
        "the identifier is not made of key columns: order between rows that share one is not promised; said once",
        "nothing, where no two rows share or hand over an identifier; else make it of columns of the record's key, or "
        "let the connector write one partition, or key its records by it "
        "([what is promised](guarantees.md#one-person-at-a-time-in-order))",
    ),
    Code(
        "membership_unknown",
        "a column of `where` or of the identifier is unavailable: nothing is done",
        "set REPLICA IDENTITY FULL on the table, or let `where` and the identifier do without large (TOASTed) columns",
    ),
    Code(
        "exit_unknown",
        "somebody left, perhaps; a mirror did not see whom",
        "set REPLICA IDENTITY FULL on the table and `before: full` on the source; or, where the key identifies, keep a "
        "[state](state.md#who-left-a-segment). Who has left unseen is to be deleted by hand",
    ),
    Code(
        "truncate_ignored",
        "the table was truncated: nobody is deleted for it",
        "if it was meant, delete the people at the destination",
    ),
    Code(
        "mapping_changed",
        "mode, `where`, identifier or mapping are not those of the last run; said at the start",
        "rows that do not change stay as they were sent: `run --from-start`, a snapshot, or a [resync](resync.md) "
        "brings all up to date; `resync --exits OLD` deletes who left by it",
    ),
    Code(
        "deletes_held",
        "deletes exceeded the budget, or some are held already: those that waited were parked",
        "find out why so many left, an edited filter or an empty load perhaps. If it was a mistake, mend it upstream; "
        "then, or if it was meant, `stream-sync held release` decides each anew and deletes who is still gone, and "
        "`held discard` keeps them at the destination ([how](operating.md#held-deletes)). Until then every further "
        "delete is parked too",
    ),
    Code("delete_held", "counted for each delete that was parked; told nowhere", "as for `deletes_held`"),
    Code(
        "outcome_not_told",
        "some outcomes could not be written to the topic `….outcomes`; nothing else is affected",
        "let the service create that topic and write to it; [`explain`](explain.md) does not know these",
    ),
    Code(
        "state_unavailable",
        "the last-delivered state cannot be reached: the activation sends nothing until it can",
        "bring it back: Redis, or the disk and the folder of the file; the log's `state_unavailable` says what is "
        "wrong ([a damaged file](state.md#when-it-is-away)). Nothing is lost meanwhile, and it goes on by itself",
    ),
    Code(
        "state_forgotten",
        "the last-delivered state was lost, or is older than what was delivered: people are sent whole once more, and "
        "a mirror that needs it does not see who left meanwhile, or leaves before they are sent again",
        "a [resync](resync.md) makes people known again, and [who had left](state.md#who-left-a-segment) may stay; "
        "[when it is taken for lost](state.md#when-it-is-lost)",
    ),
)
EVENTS = (
    Code(
        "lane_halted",
        "the activation halted for the reason given: it sends nothing, its offsets stay, and no other one is stopped",
        "mend what the reason says ([each reason, and what to do](operating.md#halts)). It then goes on by itself "
        "where the destination, the schema registry or a missing topic was the reason, else after a restart",
    ),
    Code("lane_resumed", "the activation goes on; the reason given is why it was halted", "nothing"),
)
"""Told as warnings are, but no warnings: they are not counted as such."""
QUIET = frozenset({"null_skipped", "delete_held"})
"""Counted only: what the config asks for, and what another code tells already."""
URGENT = frozenset({"deletes_held", *(event.code for event in EVENTS)})
"""Told to people at once, whatever their period."""
KNOWN = frozenset(code.code for code in WARNINGS)


def plain(markdown: str) -> str:
    """A meaning or a cure as text: a link says which page it leads to."""
    return _LINK.sub(r"\1 (docs/\2)", _IN_BRACKETS.sub(r"(\1: docs/\2)", markdown)).replace("`", "")


def table(codes: tuple[Code, ...]) -> str:
    """As Markdown."""
    rows = "".join(f"| `{code}` | {meaning} | {cure} |\n" for code, meaning, cure in codes)
    return f"| code | what happened | to do |\n|---|---|---|\n{rows}"


def page(text: str) -> str:
    """The page docs/warnings.md with its tables made anew."""
    for codes, heading in ((WARNINGS, "\n## Codes\n"), (EVENTS, "\n## Beside them\n")):
        before, _, after = text.partition(heading)
        introduction, _, rest = after.partition("\n| code |")
        behind = rest.partition("\n\n")[2]
        text = f"{before}{heading}{introduction}\n{table(codes)}" + (f"\n{behind}" if behind else "")
    return text


if __name__ == "__main__":
    sys.stdout.write(page(sys.stdin.read()))
