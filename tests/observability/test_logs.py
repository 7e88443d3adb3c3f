"""A line says what happened, in the form its reader takes, and never a secret."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import structlog

from stream_sync.errors import HaltError
from stream_sync.observability import logs
from stream_sync.observability.redaction import Redaction

SECRET = 'k3y/with+signs "and" ø'


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    monkeypatch.setattr(logs, "_redaction", Redaction())
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield io.StringIO()
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def only_line(stream: io.StringIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(stream.getvalue())
    return line


def test_lines_are_json_where_no_person_reads_along(stream: io.StringIO) -> None:
    logs.configure(stream)
    logs.logger(activation="gold").warning("batch_rejected", code="bad_request", people=3)

    line = only_line(stream)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "activation": "gold",
        "code": "bad_request",
        "people": 3,
        "event": "batch_rejected",
        "level": "warning",
    }


def test_lines_are_key_value_on_a_terminal(stream: io.StringIO) -> None:
    terminal = Terminal()
    logs.configure(terminal)
    logs.logger(activation="gold").warning("batch_rejected")

    assert "batch_rejected" in terminal.getvalue()
    assert "{" not in terminal.getvalue()


def test_debug_is_for_who_asks(stream: io.StringIO) -> None:
    logs.configure(stream)
    logs.logger().debug("request_started")

    assert stream.getvalue() == ""


FORMS = {
    "plain": SECRET,
    "inside a text": f"Invalid API key: {SECRET}!",
    "url-encoded": f"https://host/?key={quote(SECRET, safe='')}&x=1",
    "url-encoded, small letters": quote(SECRET, safe="").lower(),
    "basic auth": "Basic " + base64.b64encode(f"user:{SECRET}".encode()).decode(),
    "basic auth, longer user": "Basic " + base64.b64encode(f"user1:{SECRET}:x".encode()).decode(),
    "url-safe base64": base64.urlsafe_b64encode(f"ab{SECRET}".encode()).decode().rstrip("="),
    "json in a text": json.dumps({"key": SECRET}),
    "bytes": SECRET.encode(),
    "bytes in a text": f"sent {SECRET.encode()!r}",
    "nested": {"headers": [("Authorization", f"Bearer {SECRET}")], SECRET: {SECRET}},
    "an exception": ValueError(f"cannot use {SECRET}"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("as_json", [True, False])
def test_a_secret_is_blotted_out_in_every_form(form: str, as_json: bool, stream: io.StringIO) -> None:
    logs.configure(stream, [SECRET], json=as_json)
    logs.logger().error("refused", value=FORMS[form])

    said = stream.getvalue()
    assert "[secret]" in said
    for part in ("k3y/with", "k3y%2Fwith", "k3y%2fwith", base64.b64encode(b"k3y/with+s").decode()[:8]):
        assert part not in said


def test_the_longer_of_two_secrets_goes_whole(stream: io.StringIO) -> None:
    logs.configure(stream, ["abcdef", "abcdef-ghijkl"])
    logs.logger().error("refused", value="abcdef-ghijkl")

    assert only_line(stream)["value"] == "[secret]"


def test_a_numeric_secret_is_blotted_out_as_a_number_too(stream: io.StringIO) -> None:
    logs.configure(stream, ["40041999"])
    logs.logger().error("refused", value=40041999, people=75)

    line = only_line(stream)
    assert (line["value"], line["people"]) == ("[secret]", 75)


def test_a_secret_read_again_later_is_blotted_out_from_then_on(stream: io.StringIO) -> None:
    logs.configure(stream, ["first-secret"])
    logs.add_secret("second-secret\n")
    logs.logger().error("refused", value="second-secret")

    assert only_line(stream)["value"] == "[secret]"


EMAIL = "someone@" + "example.com"


def fail_deeply() -> None:
    """With a value in the text of every exception on the way, and one of our own errors at its end."""
    try:
        try:
            dict[str, int]()[EMAIL]
        except KeyError as missing:
            raise ValueError(f"no such person: {EMAIL}") from missing
    except ValueError as unknown:
        group = ExceptionGroup(EMAIL, [OSError(2, "No such file", EMAIL), unknown])
        raise HaltError("why", f"see to {SECRET}") from group


@pytest.mark.parametrize("as_json", [True, False])
def test_tracebacks_say_where_and_not_what_a_value_was(as_json: bool, stream: io.StringIO) -> None:
    logs.configure(stream, [SECRET], json=as_json)
    try:
        fail_deeply()
    except HaltError as error:
        logs.logger().error("failed", exc_info=error)

    said = stream.getvalue()
    assert EMAIL not in said
    assert SECRET not in said
    for told in (
        "KeyError",
        "ValueError",
        "ExceptionGroup",
        "[Errno 2] No such file",
        "fail_deeply",
        "see to [secret]",
    ):
        assert told in said


@pytest.mark.parametrize("as_json", [True, False])
def test_other_libraries_tracebacks_say_no_more(as_json: bool, stream: io.StringIO) -> None:
    logs.configure(stream, json=as_json)
    try:
        raise ValueError(EMAIL)
    except ValueError:
        logging.getLogger("aiohttp.server").exception("Error handling request")

    assert "test_logs.py" in stream.getvalue()
    assert EMAIL not in stream.getvalue()


def test_a_task_that_fails_unheard_is_told_without_what_it_says(stream: io.StringIO) -> None:
    gc.collect()  # what other tests left has nothing to say here
    logs.configure(stream)

    async def fail() -> None:
        raise ValueError(EMAIL)

    async def main() -> None:
        logs.hear_loop(asyncio.get_running_loop())
        task = asyncio.create_task(fail())
        await asyncio.wait((task,))
        del task
        gc.collect()

    asyncio.run(main())
    line = only_line(stream)
    assert line["event"] == "task_failed"
    assert "ValueError" in line["exception"]
    assert EMAIL not in stream.getvalue()


def test_other_libraries_speak_through_us_from_warning_on(stream: io.StringIO) -> None:
    logs.configure(stream, [SECRET])
    logging.getLogger("aiohttp.client").info("not news")
    logging.getLogger("aiohttp.client").warning("closed %s", SECRET)

    line = only_line(stream)
    assert (line["event"], line["level"], line["logger"]) == ("closed [secret]", "warning", "aiohttp.client")


def test_of_secrets_that_change_for_ever_the_newest_are_known_and_so_are_those_that_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream_sync.observability.redaction.MOST", most := 30)
    redaction = Redaction()
    for number in range(most + 50):
        redaction.add(f"secret-number-{number}")
        redaction.add("one-that-stays")
    assert redaction.of("secret-number-0 one-that-stays") == "secret-number-0 [secret]"
    assert redaction.of(f"secret-number-{most + 49}") == "[secret]"
    assert len(redaction._forms) == most
