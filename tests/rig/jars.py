"""Gets the jars of the tests' Kafka broker, and a Redis server, from Maven, once, into `.cache/` of the checkout.

Invariants:
- The folder's name holds a hash of `pom.xml`: another version of Kafka is another folder, never a mixture.
- A folder that is there is whole: Maven fills a temporary one, which is renamed at the end.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

POM = Path(__file__).with_name("pom.xml")
REDIS_POM = Path(__file__).with_name("redis-pom.xml")
CACHE = Path(__file__).resolve().parents[2] / ".cache"
JAVA_AT_LEAST = 17


class MissingToolError(Exception):
    """Something must be installed by hand first; the message says what."""


def kafka_jars() -> Path:
    """The folder that holds the broker's jars. Raises MissingToolError."""
    _require_java()
    return _jars_of("kafka", POM)


def redis_jars() -> Path:
    """The folder with the jar that holds Redis servers. Raises MissingToolError."""
    return _jars_of("redis", REDIS_POM)


def _jars_of(name: str, pom: Path) -> Path:
    jars = CACHE / f"{name}-{hashlib.sha256(pom.read_bytes()).hexdigest()[:12]}"
    if not jars.is_dir():
        _copy_from_maven(jars, pom)
    return jars


def _require_java() -> None:
    if (java := shutil.which("java")) is None:
        raise MissingToolError(f"no `java` found: install Java {JAVA_AT_LEAST} or newer (the tests run a real Kafka)")
    banner = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    version = re.search(r'version "(\d+)', banner)
    if version is None or int(version[1]) < JAVA_AT_LEAST:
        found = banner.splitlines()[0] if banner else "an unknown version"
        raise MissingToolError(f"`java` is {found}: Kafka needs {JAVA_AT_LEAST} or newer")


def _copy_from_maven(jars: Path, pom: Path) -> None:
    if (maven := shutil.which("mvn")) is None:
        raise MissingToolError("no `mvn` found: install Maven (it downloads the tests' Kafka and Redis, once)")
    jars.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=jars.parent) as temporary:
        filled = Path(temporary, "jars")
        command = [maven, "--quiet", "--batch-mode", "--file", str(pom), "dependency:copy-dependencies"]
        command.append(f"-DoutputDirectory={filled}")
        run = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise MissingToolError(f"Maven could not get the jars of {pom.name}:\n{run.stdout[-2000:]}")
        try:
            filled.rename(jars)
        except OSError:
            # Another run was quicker: its folder is as good.
            if not jars.is_dir():
                raise


def main() -> None:
    """Gets the jars, or ends with one line that says what is missing."""
    try:
        kafka_jars()
        redis_jars()
    except MissingToolError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
