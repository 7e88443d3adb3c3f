"""The command line as a person or a script meets it: words, streams and exit status."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from stream_sync import cli
from stream_sync.commands import validate

GOOD = """\
name: acme
kafka: {bootstrap.servers: "localhost:9092"}
sources:
  customers: {topic: wh.marts.customers}
destinations:
  braze: {type: braze, url: "https://rest.fra-01.braze.eu", api_key: "${BRAZE_API_KEY}"}
activations:
  everybody:
    source: customers
    destination: braze
    mode: upsert
    identifier: {external_id: customer_id}
    fields: [first_name]
"""


def stream_sync(*arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stream_sync", *arguments],
        env={"PATH": "/usr/bin:/bin", "BRAZE_API_KEY": "hidden", **(environ or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def test_a_good_file_ends_with_one_line(file: Path) -> None:
    done = stream_sync("validate", "-c", str(file))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{file}: 1 source, 1 destination, 1 activation: no problems\n"


def test_a_bad_file_is_told_line_by_line(file: Path) -> None:
    file.write_text(GOOD.replace("upsert", "mirorr").replace("name: acme", "name: ac me"), encoding="utf-8")
    done = stream_sync("validate", "-c", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith(f"{file}: name (line 1): becomes part of Kafka topics")
    assert (
        lines[1] == f"{file}: activations.everybody.mode (line 11): 'mirorr' is not a sync mode; did you mean 'mirror'?"
    )
    assert lines[2:] == [f"{file}: 2 problems"]


def test_warnings_go_to_stderr(file: Path) -> None:
    file.write_text(GOOD.replace("sources:\n", "sources:\n  spare: {topic: wh.spare}\n"), encoding="utf-8")
    done = stream_sync("validate", "-c", str(file))
    assert done.returncode == 0
    assert done.stderr == f"{file}: warning: sources.spare (line 4): is not used by any activation\n"


def test_the_resolved_config_is_all_of_stdout(file: Path) -> None:
    done = stream_sync("validate", "-c", str(file), "--resolved")
    assert done.returncode == 0
    assert done.stdout.startswith("name: acme\n")
    assert "api_key: '***'" in done.stdout
    assert "hidden" not in done.stdout + done.stderr
    assert done.stderr.endswith("no problems\n")


def test_a_file_that_is_not_there_is_a_wrong_config(tmp_path: Path) -> None:
    done = stream_sync("validate", "-c", str(tmp_path / "none.yaml"))
    assert done.returncode == 2
    assert "none.yaml: cannot be read: No such file or directory" in done.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("validat",), ("validate",), ("validate", "-c"), ("validate", "--confg", "x")]
)
def test_a_wrong_command_line_is_2(arguments: tuple[str, ...]) -> None:
    done = stream_sync(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("usage: stream-sync")


def test_help_and_version() -> None:
    assert stream_sync("--version").stdout.startswith("stream-sync 0.")
    shown = stream_sync("--help")
    assert shown.returncode == 0
    assert "validate" in shown.stdout
    assert "--resolved" in stream_sync("validate", "--help").stdout


def test_a_defect_is_told_with_its_place_and_without_what_the_exception_says(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    email = "ann@" + "example.com"

    def fail(_args: object) -> int:
        raise KeyError(email)

    monkeypatch.setattr(validate, "execute", fail)
    assert cli.main(["validate", "-c", str(file)]) == 1
    said = capsys.readouterr().err
    assert "report it" in said
    assert "KeyError" in said
    assert "test_cli.py" in said
    assert email not in said
