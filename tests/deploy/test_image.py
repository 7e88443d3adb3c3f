"""The image: locked, small, without root, and one that starts on a root that nobody can write to."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from stream_sync.sandbox import broker as brokers
from stream_sync.sandbox.broker import Broker
from stream_sync.sandbox.demo_stage import TOPICS, Stage
from stream_sync.sandbox.server import Sandbox
from tests.deploy.image import LOCKS, ROOT, Built, built
from tests.deploy.tools import run, tool
from tests.e2e.service import until
from tests.rig.ports import free_port

MOST_MEGABYTES = 250
USER = "65532:65532"
LIMIT = 120.0
"""Seconds."""
# The root is what the image holds, read-only; the config is a file of it, as a mounted ConfigMap would be.
_IN_THE_IMAGE = (
    'mount --bind "$1" "$1" && mount --bind "$2" "$1/mnt" && mount --rbind /dev "$1/dev" '
    '&& mount -t proc proc "$1/proc" && mount -o remount,bind,ro "$1" && root=$1 && shift 2 && exec chroot --userspec='
    + USER
    + ' "$root" env -i "$@"'
)


def locked(name: str) -> dict[str, str]:
    """The versions of a lock."""
    lines = re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): exact for package, exact in lines}


def test_the_lock_holds_what_the_service_needs_at_the_versions_of_the_tests() -> None:
    constraints = locked("constraints.txt")
    needed, waiting = set(), ["stream-sync"]
    while waiting:
        for each in map(Requirement, requires(waiting.pop()) or ()):
            name = canonicalize_name(each.name)
            extras = ({"extra": ""}, {"extra": "redis"})
            if (each.marker is None or any(map(each.marker.evaluate, extras))) and name not in needed:
                needed.add(name)
                waiting.append(name)

    assert needed - locked(LOCKS[0]).keys() == set(), "renew deploy/image.lock, its head says how"
    different = {
        name: exact for lock in LOCKS for name, exact in locked(lock).items() if constraints.get(name, exact) != exact
    }
    assert different == {}, "renew deploy/image.lock, its head says how"


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_file_has_a_hash_and_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()

    assert re.search(r"://|--(index|extra|find|trusted)", re.sub(r"^#.*$", "", text, flags=re.MULTILINE)) is None
    assert len(re.findall(r"^\S+==\S+ \\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)) == len(locked(lock))


def test_the_linter_has_nothing_to_say() -> None:
    assert run([tool("hadolint"), ROOT / "Dockerfile"]) == ""


def image() -> Built:
    """The built image; skips the test where there is none of these sources."""
    found = built()
    if found is None:
        pytest.skip(
            "there is no image of these sources: `make image` builds it (as root, with what `make tools` installs)"
        )
    return found


def test_it_runs_the_service_as_nobody_and_knows_how_it_is() -> None:
    config = image().config

    assert config["User"] == USER
    assert config["Entrypoint"] == ["stream-sync"]
    assert config["Cmd"] == ["run", "-c", "/etc/stream-sync/config.yaml"]
    assert config["Healthcheck"]["Test"][0] == "CMD", "without a shell"
    assert config["Labels"]["org.opencontainers.image.version"] == version("stream-sync")
    assert config["Labels"]["org.opencontainers.image.revision"] == image().revision


def test_it_is_small() -> None:
    assert image().megabytes <= MOST_MEGABYTES


async def test_it_starts_on_a_read_only_root_syncs_and_ends_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, port = image(), free_port()
    monkeypatch.setattr(brokers, "SECONDS", LIMIT)
    must_mount()
    with Broker(TOPICS) as broker:
        async with Sandbox() as sandbox:
            stage = Stage(broker, sandbox, seed=1)
            await stage.prepare()
            stage.write_snapshot()
            put_config(tmp_path, stage.config().replace("port: 0", f"port: {port}"))
            arguments = [*found.config["Entrypoint"], "run", "-c", "/mnt/config.yaml"]
            async with inside(found, tmp_path, arguments) as service:
                await until(lambda: caught_up(stage, service), "everybody is delivered", LIMIT)
                async with inside(
                    found, tmp_path, found.config["Healthcheck"]["Test"][1:], ADMIN_PORT=str(port)
                ) as asked:
                    assert await asyncio.wait_for(asked.wait(), LIMIT) == 0
                service.send_signal(signal.SIGTERM)
                assert await asyncio.wait_for(service.wait(), LIMIT) == 0
            assert [verdict.differences for verdict in stage.verdicts([])] == [[], [], [], []]


def must_mount() -> None:
    """Skips the test where this user may not mount anything."""
    if subprocess.run([tool("unshare"), "--mount", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("a root that is read-only needs mounts, which are not allowed here")


def put_config(folder: Path, text: str) -> None:
    """Where anybody may read it, as from a mounted ConfigMap."""
    path = folder / "config.yaml"
    path.write_text(text)
    path.chmod(0o644)
    folder.chmod(0o755)


async def caught_up(stage: Stage, service: asyncio.subprocess.Process) -> bool:
    assert service.returncode is None, "the service ended"
    return await stage.caught_up()


@contextlib.asynccontextmanager
async def inside(
    found: Built, folder: Path, arguments: Sequence[str], **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Runs a command in the image, on a read-only root as its user, with `folder` at /mnt; kills it at the end."""
    words = [*found.config["Env"], *(f"{name}={value}" for name, value in environment.items()), *arguments]
    process = await asyncio.create_subprocess_exec(
        tool("unshare"), "--mount", "--propagation", "private",
        "sh", "-c", _IN_THE_IMAGE, "sh", found.root, folder, *words,
        stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
