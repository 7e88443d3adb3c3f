"""Builds the image where there is no Docker (`make image`): a base by debootstrap, buildah with its chroot isolation.

Invariants:
- Everything is in .cache/image: the base, the wheels, buildah's store, and `built.json`, which says what was built and
  where its root is mounted. A build of the same sources is not repeated.
- The wheels are had beforehand by pip as it is set up on this machine, and checked against the lock's hashes twice: the
  build itself sees no network.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "image"
BUILT = CACHE / "built.json"
BASE, IMAGE = "localhost/base", "localhost/stream-sync"
SUITE, PYTHON = "bookworm", "3.11"
"""A Debian and the Python that it comes with."""
LOCKS = ("deploy/image.lock", "deploy/image-build.lock")
NEEDED = ("debootstrap", "buildah", "unshare", "chroot")
# What Debian's slim images leave out as well.
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists", "var/log")


class Built(NamedTuple):
    """A built image. `root` is where it is mounted, `config` Docker's, `megabytes` all of its files."""

    revision: str
    root: Path
    config: dict[str, Any]
    megabytes: float


def revision() -> str:
    """Of what the image is made from."""
    digest = hashlib.sha256()
    for path in sorted(_sources()):
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def built() -> Built | None:
    """The image of the sources as they are now, if it was built."""
    if not BUILT.exists():
        return None
    found = json.loads(BUILT.read_text())
    image = Built(found["revision"], Path(found["root"]), found["config"], found["megabytes"])
    return image if image.revision == revision() and (image.root / "opt").is_dir() else None


def build() -> Built:
    """Builds what is missing. Raises CalledProcessError; what the tools say is on stderr."""
    CACHE.mkdir(parents=True, exist_ok=True)
    if BASE not in _buildah("images", "--format", "{{.Name}}"):
        _make_base()
    wheels = CACHE / "wheels"
    if not wheels.is_dir():
        _fetch_wheels(wheels)
    wanted = revision()
    _buildah("rm", "--all")
    _buildah(
        "bud", "--isolation", "chroot", "--format", "docker", "--volume", f"{wheels}:/mnt:ro", "--tag", IMAGE,
        *(f"--build-arg={name}" for name in (f"BASE={BASE}", f"REVISION={wanted}")),
        *(f"--build-arg={name}" for name in ("PIP_NO_INDEX=1", "PIP_FIND_LINKS=/mnt")), str(ROOT),
    )  # fmt: skip
    config = json.loads(_buildah("inspect", "--type", "image", IMAGE))["Docker"]["config"]
    root = Path(_buildah("mount", _buildah("from", IMAGE).strip()).strip())
    image = Built(wanted, root, config, _megabytes(root))
    BUILT.write_text(json.dumps(image._asdict() | {"root": str(root)}))
    return image


def _sources() -> Iterator[Path]:
    for name in ("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE", *LOCKS):
        yield ROOT / name
    for path in (ROOT / "stream_sync").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _make_base() -> None:
    folder = CACHE / "base"
    shutil.rmtree(folder, ignore_errors=True)
    _run("debootstrap", "--variant=minbase", "--include=python3,python3-venv,ca-certificates", SUITE, str(folder))
    for name in UNUSED:
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name).mkdir(parents=True)
    container = _buildah("from", "scratch").strip()
    _buildah("add", "--quiet", container, str(folder), "/")
    _buildah("commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(folder)


def _fetch_wheels(folder: Path) -> None:
    machine = _run("uname", "-m").strip()
    platforms = (f"manylinux_2_28_{machine}", f"manylinux_2_17_{machine}", f"manylinux2014_{machine}", "any")
    part = folder.with_suffix(".part")
    _run(
        sys.executable, "-m", "pip", "download", "--quiet", "--require-hashes", "--no-deps", "--only-binary=:all:",
        f"--python-version={PYTHON}", "--implementation=cp",
        *(f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")),
        *(f"--platform={platform}" for platform in platforms),
        *(f"--requirement={ROOT / lock}" for lock in LOCKS), f"--dest={part}",
    )  # fmt: skip
    part.rename(folder)


def _megabytes(root: Path) -> float:
    return sum(path.lstat().st_size for path in root.rglob("*") if not path.is_dir()) / 1e6


def _buildah(*arguments: str) -> str:
    # vfs: slower than overlays, and works where the machine is itself in a container.
    store = ("--root", str(CACHE / "store"), "--runroot", str(CACHE / "run"), "--storage-driver", "vfs")
    return _run("buildah", *store, *arguments)


def _run(*command: str) -> str:
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}")
    return ended.stdout


def main() -> None:
    """Builds the image, or says in one line why not."""
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        sys.exit(f"the image is not built: {', '.join(missing)} not installed; `make tools` installs them on a Debian")
    image = built() or build()
    print(f"{IMAGE}: {image.megabytes:.0f} MB, of the sources {image.revision}")


if __name__ == "__main__":
    main()
