"""What must stay within bounds: secrets and people's data nowhere but in the request, bodies of a bounded size."""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import pytest

from stream_sync.contract.subject import Subject
from stream_sync.contract.trial import SECRET, Trial, trial
from stream_sync.contract.virtual_time import in_virtual_time
from stream_sync.model import Delivered, Rejected, Retry
from stream_sync.sandbox.server import Vendor
from stream_sync.sandbox.workspace import Answer, Workspace
from stream_sync.sinks.http import MAX_REPLY

PERSON, VALUE = "canary-person", "canary-value"
STATUSES = (200, 201, 202, 204, 400, 401, 402, 403, 404, 409, 413, 418, 422, 423, 429, 500, 503)
HUGE = 20_000_000
"""Characters of one person: more than any vendor takes in a request."""


class SecrecyContract:
    """To be mixed into `SinkContract`."""

    @pytest.mark.parametrize("status", STATUSES)
    def test_secrets_and_people_are_told_nowhere(
        self, subject: Subject, status: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Whatever the vendor echoes."""
        caplog.set_level(logging.DEBUG)
        for is_json in (True, False):
            _tell_nothing(subject, status, is_json)
        assert SECRET not in caplog.text
        assert PERSON not in caplog.text
        assert VALUE not in caplog.text

    @in_virtual_time
    async def test_settings_and_the_account_s_name_hold_no_secret(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            dumped = [repr(tried.settings), str(tried.settings), repr(tried.settings.model_dump(mode="json"))]
            account = subject.sink().account(tried.settings)
            assert all(isinstance(each, str) for each in account)
            assert SECRET not in " ".join([*dumped, *account, repr(tried.sink), *map(str, tried.sink.unproven())])

    @in_virtual_time
    async def test_an_endless_answer_is_not_read_to_its_end(self, subject: Subject) -> None:
        def answer(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
            return Answer(200, b'{"message": "' + b"x" * 8 * MAX_REPLY + b'"}')

        async with trial(subject, vendor=subject.vendor._replace(answer=answer)) as tried:
            (outcome,) = await tried.send(tried.write("a"))
            assert isinstance(outcome, Retry)

    @in_virtual_time
    async def test_one_who_is_too_large_for_any_request_is_rejected_alone(self, subject: Subject) -> None:
        async with trial(subject) as tried:
            huge = tried.write("b")
            huge = msgspec.structs.replace(huge, known={**huge.known, tried.name(1): ["x" * 1000] * (HUGE // 1000)})
            outcomes = await tried.deliver(tried.write("a"), huge, tried.write("c"))
            assert [type(outcome) for outcome in outcomes] == [Delivered, Rejected, Delivered]
            assert tried.held("c") == {0: 1}


@in_virtual_time
async def _tell_nothing(subject: Subject, status: int, is_json: bool) -> None:
    """Everything a sink says where the vendor repeats all that it was sent."""
    said: list[str] = []

    def echo(workspace: Workspace, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        said.extend(_secrets_in(headers))
        heard = f"{path} {dict(headers)} {body.decode('utf-8', 'replace')}"
        told = {"message": heard, "error": heard, "reason": heard, "errors": [heard, {"message": heard, "code": heard}]}
        return Answer(status, msgspec.json.encode(told) if is_json else f"<html>{heard}".encode())

    async with trial(subject, vendor=Vendor(echo, subject.vendor.show, subject.vendor.failure)) as tried:
        await tried.send(tried.write(PERSON, {0: VALUE}))
        if "mirror" in tried.sink.modes:
            await tried.send(tried.delete(PERSON))
        tried.outcomes.append(await tried.sink.probe())
        assert said, "the key is in a header of every request"
        for secret in {SECRET, *said}:
            for what in _everything_said(tried):
                assert secret not in what, "a secret is told"
        for what in _outcomes_and_metrics(tried):
            assert PERSON not in what, "a person is named"
            assert VALUE not in what, "a value is told"


def _secrets_in(headers: Mapping[str, str]) -> Iterator[str]:
    """The words of headers that hold the key, plain or in base64."""
    for word in " ".join(headers.values()).split():
        try:
            decoded = base64.b64decode(word, validate=True)
        except ValueError:
            decoded = b""
        if SECRET in word or SECRET.encode() in decoded:
            yield word


def _outcomes_and_metrics(tried: Trial) -> list[str]:
    return [repr(tried.outcomes), repr(tried.told)]


def _everything_said(tried: Trial) -> list[str]:
    held: dict[str, Any] = vars(tried.sink)
    return [*_outcomes_and_metrics(tried), repr(tried.sink), str(tried.sink), repr(held), repr(tried.settings)]
