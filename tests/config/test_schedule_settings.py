"""`schedule`, `warnings` and `notify` of a file: every form, and what is said of each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_sync.config.load import load
from stream_sync.config.problems import ConfigError
from stream_sync.config.resolved import resolved
from stream_sync.config.schedules import parse, written
from stream_sync.config.settings import Config

FILE = """\
name: acme
kafka: {bootstrap.servers: "localhost:9092"}
notify: {ops: {type: webhook, url: "https://hooks.acme.eu/secret-part"}}
sources: {customers: {topic: wh.marts.customers}}
destinations: {braze: {type: braze, url: "https://rest.fra-01.braze.eu", api_key: made-up}}
activations:
  everybody:
    source: customers
    destination: braze
    mode: upsert
    identifier: {external_id: customer_id}
    fields: [first_name]
"""


def loaded(folder: Path, text: str) -> Config:
    path = folder / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path, {}).config


def problems(folder: Path, text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        loaded(folder, text)
    return str(raised.value)


@pytest.mark.parametrize(
    "schedule",
    [
        "continuous",
        "manual",
        {"every": "90s"},
        {"cron": "0 7 * * 1-5", "timezone": "Europe/Paris"},
        {"between": "22:00-06:00", "timezone": "UTC"},
    ],
    ids=str,
)
def test_every_form_is_read_and_written(schedule: object) -> None:
    assert written(parse(schedule)) == schedule


@pytest.mark.parametrize(
    ("schedule", "said"),
    [
        ("continous", "did you mean 'continuous'?"),
        ("60", "write continuous, manual, {every: 1h}"),
        ("{every: 3600}", "`every`: 3600 is not a duration; write a number and a unit"),
        ("{every: 10ms}", "at most every second"),
        ("{every: 1h, timezone: UTC}", "'timezone' does not go with `every`"),
        ('{cron: "7 * *"}', "has not five fields"),
        ('{cron: "99 * * * *"}', "is not right: bad minute"),
        ('{cron: "0 7 * * *", timezone: Europe/Pariss}', "did you mean 'Europe/Paris'?"),
        ('{between: "22-6"}', "is not two times of the day"),
        ('{between: "07:00-07:00"}', "is no window of the day"),
        ('{cron: "0 7 * * *", every: 1h}', "does not go with"),
    ],
)
def test_what_is_no_schedule_is_told_at_its_place(tmp_path: Path, schedule: str, said: str) -> None:
    told = problems(tmp_path, FILE + f"    schedule: {schedule}\n")
    assert "activations.everybody.schedule (line 13): " in told
    assert said in told


@pytest.mark.parametrize(
    ("warnings", "said"),
    [
        ("{notify: opps}", "'opps' is not a target of this file; did you mean 'ops'?"),
        ("{only: [column_mising]}", "did you mean 'column_missing'?"),
        ("{except: [null_skipped]}", "'null_skipped' is not the code of a warning"),
        ("{escalate: {column_missing: stop}}", "it is one of: halt"),
        ("{exept: []}", "did you mean 'except'?"),
        ("perhaps", "should be `off`, or a mapping"),
    ],
)
def test_what_warnings_cannot_mean_is_told(tmp_path: Path, warnings: str, said: str) -> None:
    told = problems(tmp_path, FILE + f"    warnings: {warnings}\n")
    assert "activations.everybody.warnings" in told
    assert said in told


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("{type: webhok}", "did you mean 'webhook'?"),
        ("{url: x}", "`type` is missing; it is webhook or email"),
        ("5", "should be a mapping"),
        ('{type: webhook, url: "http://hooks.acme.eu/x"}', "is not encrypted"),
        ("{type: webhook, url: nowhere}", "is not a URL"),
        ("{type: email, host: h.eu, sender: nobody, to: [a@b.eu]}", "'nobody' is not an e-mail address"),
        ("{type: email, host: h.eu, sender: a@b.eu, to: []}", "is empty; give at least one address"),
        ("{type: email, host: h.eu, sender: a@b.eu, to: [a@b.eu], username: u}", "go together"),
        ("{type: email, host: h.eu, sender: a@b.eu, to: [a@b.eu], security: none}", "this machine only"),
    ],
)
def test_what_is_no_target_is_told(tmp_path: Path, target: str, said: str) -> None:
    told = problems(tmp_path, FILE.replace("{ops:", f"{{other: {target}, ops:"))
    assert "notify.other" in told
    assert said in told


def test_with_every_default_filled_in_it_is_the_same_file(tmp_path: Path) -> None:
    text = FILE + (
        '    schedule: {cron: "0 7 * * 1-5"}\n'
        "    warnings: {notify: ops, except: [value_truncated], escalate: {column_missing: halt}}\n"
    )
    config = loaded(tmp_path, text)
    shown = resolved(config)
    assert "secret-part" not in shown
    again = loaded(tmp_path, shown.replace("url: '***'", "url: https://hooks.acme.eu/secret-part"))
    assert again.activations == config.activations


@pytest.mark.parametrize("word", ["off", "false"])
def test_off_is_off(tmp_path: Path, word: str) -> None:
    assert loaded(tmp_path, FILE + f"    warnings: {word}\n").activations["everybody"].warnings is None
