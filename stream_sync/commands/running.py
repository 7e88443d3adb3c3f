"""A running service, asked over its admin address: what the commands `pause`, `resume` and `status` share.

Invariants:
- Only what the API says is shown; a refusal is told in its own words, which say what would be right.
- Another service than the config's is refused before anything is told to it, and before it sees the token.
- Redirects are not followed, answers are bounded, and the token goes to the address asked only.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import ipaddress
import json
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import msgspec

from stream_sync.admin.views import Lanes
from stream_sync.commands.arguments import add_config, wrong
from stream_sync.config.problems import did_you_mean
from stream_sync.config.settings import Config
from stream_sync.errors import StreamSyncError

TIMEOUT = 10.0
MOST_BYTES = 4_000_000
Answer = TypeVar("Answer")


def add_running(parser: argparse.ArgumentParser) -> None:
    """`-c FILE`, `--activation NAME …` and `--url URL`."""
    add_config(parser)
    parser.add_argument(
        "--activation", action="append", default=[], metavar="NAME", help="only this one; may be given several times"
    )
    parser.add_argument(
        "--url",
        metavar="URL",
        help="where the service is (http://10.0.3.7:8080), if not at the `admin` address of the config",
    )


class Running:
    """One process of the service."""

    def __init__(self, args: argparse.Namespace, config: Config) -> None:
        """Raises ConfigError where nothing says where it is."""
        self._args = args
        self._activations = config.activations
        self._name = config.name
        self._token = config.admin.token if config.admin is not None else None
        self._url = args.url or _address(args, config)
        parts = urlsplit(self._url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise wrong(args, "--url", "is not an address; write it as http://10.0.3.7:8080")
        self._parts, self._port = parts, port

    def lanes(self) -> Lanes:
        """Its lanes that are asked for: of the activations named, or all. Raises ConfigError for a name that the config
        has not, StreamSyncError where another service answers and where it runs not every one named, or none."""
        wanted = self._args.activation or self._activations
        for name in wanted:
            if name not in self._activations:
                message = f"'{name}' is no activation{did_you_mean(name, self._activations)}"
                raise wrong(self._args, "--activation", message)
        answer = self._answer()
        lanes = [lane for lane in answer.lanes if lane.activation in wanted]
        missing = set(self._args.activation) - {lane.activation for lane in lanes}
        if missing or not lanes:
            raise StreamSyncError(
                f"that process does not run {', '.join(sorted(missing or wanted))}, but: "
                f"{', '.join(lane.activation for lane in answer.lanes)}; with several processes, say which one with "
                "--url"
            )
        return msgspec.structs.replace(answer, lanes=lanes)

    def _answer(self) -> Lanes:
        answer = self._decoded(self._ask("GET", "/api/lanes"), Lanes)
        if answer.name != self._name:
            raise StreamSyncError(
                f"the service at {self._url} is '{answer.name}', not '{self._name}' as the config's `name` says: see "
                "that --url, or the `admin` address of the config, is this one's"
            )
        return answer

    def post(self, activation: str, verb: str, kind: type[Answer]) -> Answer:
        """Tells one activation's lane to do something. Raises StreamSyncError."""
        return self._decoded(self._ask("POST", f"/api/activations/{quote(activation, safe='')}/{verb}"), kind)

    def _ask(self, method: str, path: str) -> bytes:
        secure = self._parts.scheme == "https"
        connect = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = connect(str(self._parts.hostname), self._port, timeout=TIMEOUT)
        headers = {"Accept": "application/json"}
        if method == "POST" and self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.reveal()}"
        with contextlib.closing(connection):
            try:
                connection.request(method, self._parts.path.rstrip("/") + path, headers=headers)
                response = connection.getresponse()
                content = response.read(MOST_BYTES)
            except (OSError, http.client.HTTPException) as error:
                raise StreamSyncError(
                    f"no service answers at {self._url} ({type(error).__name__}): see that `stream-sync run` runs and "
                    "that its `admin` address is this one, or say where it is with --url"
                ) from None
        if response.status != http.HTTPStatus.OK:
            raise StreamSyncError(_refusal(self._url, response.status, content))
        return content

    def _decoded(self, content: bytes, kind: type[Answer]) -> Answer:
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError:
            raise StreamSyncError(
                f"what answers at {self._url} is not this version of the service: see that --url, or the `admin` "
                "address of the config, is the service's"
            ) from None


def _address(args: argparse.Namespace, config: Config) -> str:
    if config.admin is None:
        raise wrong(args, "admin", "is off, so that nobody can be asked; give it an address")
    if config.admin.port == 0:
        raise wrong(args, "--url", "is needed: the config's `admin` has port 0, any free one; the log has it")
    host = config.admin.host
    with contextlib.suppress(ValueError):
        address = ipaddress.ip_address(host)
        if address.is_unspecified:
            host = "127.0.0.1" if address.version == 4 else "::1"
    return f"http://{f'[{host}]' if ':' in host else host}:{config.admin.port}"


def _refusal(url: str, status: int, content: bytes) -> str:
    try:
        said: Any = json.loads(content)["error"]
    except (ValueError, KeyError, TypeError):
        said = "see that it is the service's `admin` address, and that its `console` is not `off`"
    return f"{url} answers {status}: {said}"
