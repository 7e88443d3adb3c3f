"""`${VAR}`, `${VAR:-default}` and `${file:PATH}` in the values of the config.

Invariants:
- What is put in is trimmed and never looked at again: a `${` inside a variable's or file's text is plain text.
- A `$` that no `{` follows is plain; `$${` is a literal `${`.
- `${VAR:-default}` gives the default for a variable that is unset or empty, as a shell does.
- A message names the variable or the path, never what is in it: whoever reads the config hands every text that was put
  in to the report.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from stream_sync.config.problems import Place, Report
from stream_sync.config.values import Interpolated

MAX_FILE_BYTES = 65_536

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?", re.DOTALL)


Tell = Callable[[str, str], None]
"""Told of a reference (`${NAME}`) and the text that it stands for."""


def _nobody(_reference: str, _text: str) -> None:
    """Wants to know nothing."""


class InterpolationError(ValueError):
    """A reference that gives no text; the message says what to do."""


class Interpolation:
    """Fills in references from `environ` and from files; relative paths start at `folder`."""

    def __init__(self, environ: Mapping[str, str], folder: Path) -> None:
        self._environ = environ
        self._folder = folder

    def text(self, template: str, tell: Tell = _nobody) -> str:
        """The template as it is where nothing is referred to, else `Interpolated`. `tell` is told of each reference and
        its text. Raises InterpolationError."""
        if "${" not in template:
            return template

        def fill_first(found: re.Match[str]) -> str:
            text = self._fill(found)
            if found[0] != "$${":
                tell(f"${{{found[1].partition(':-')[0]}}}", text)  # without its default, which may be a secret, too
            return text

        return Interpolated(_REFERENCE.sub(fill_first, template), lambda: _REFERENCE.sub(self._fill, template))

    def tree(self, value: Any, place: Place, report: Report) -> Any:
        """Every value of a document; a text that could not be filled in is unreadable and stays as it was."""
        match value:
            case dict():
                return {name: self.tree(child, (*place, name), report) for name, child in value.items()}
            case list():
                return [self.tree(child, (*place, index), report) for index, child in enumerate(value)]
            case str():
                try:
                    return self.text(value, partial(report.filled_in, place))
                except InterpolationError as error:
                    report.unreadable(place, str(error))
        return value

    def _fill(self, found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        inner, closed = found[1], found[2]
        if not closed:
            raise InterpolationError("has a '${' without its '}'; for a plain '${' write '$${'")
        if inner.startswith("file:"):
            return self._file(inner.removeprefix("file:").strip())
        variable = _VARIABLE.fullmatch(inner)
        if variable is None:
            raise InterpolationError("has a '${…}' of no known form; write ${NAME}, ${NAME:-default} or ${file:PATH}")
        name, default = variable.groups()
        value = self._environ.get(name)
        if default is not None and not value:
            return str(default).strip()
        if value is None:
            raise InterpolationError(
                f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}"
            )
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InterpolationError(f"the environment variable {name} is not UTF-8 text") from None
        return value.strip()

    def _file(self, path: str) -> str:
        if not path:
            raise InterpolationError("has a ${file:} without a path")
        try:
            with (self._folder / path).open("rb") as file:
                content = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a path"
            raise InterpolationError(f"the file {path} cannot be read: {reason}") from None
        if len(content) > MAX_FILE_BYTES:
            raise InterpolationError(
                f"the file {path} is larger than {MAX_FILE_BYTES:,} bytes; it should hold one value"
            )
        try:
            return content.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            raise InterpolationError(f"the file {path} is not UTF-8 text") from None
