"""Jobs of the console: one at a time, each with its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stream_sync.admin import views
from stream_sync.admin.work import MOST_JOBS, STOPPED, BusyError, Work
from stream_sync.config.load import load
from tests.admin.served import CONFIG


@pytest.fixture
def work(tmp_path: Path) -> Work:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(CONFIG))
    return Work(load(path, {}).config, dict, lambda *_about, **_fields: None)


async def test_a_job_that_is_stopped_at_once_is_over_and_the_next_one_may_begin(work: Work) -> None:
    first = work.start("gold", "replay", views.Order(dry_run=True))
    with pytest.raises(BusyError):
        work.start("gold", "discard", views.Order(agreed=1))
    work.stop(first.id)
    await work.close()
    second = work.start("gold", "release", views.Order(agreed=1))
    await work.close()

    assert [(job.id, job.state, job.message) for job in work.jobs()] == [
        (second.id, "failed", STOPPED),
        (first.id, "failed", STOPPED),
    ]
    assert work.stop(77) is None


async def test_only_the_latest_jobs_are_remembered(work: Work) -> None:
    for _ in range(MOST_JOBS + 5):
        work.start("gold", "replay", views.Order())
        await work.close()

    assert [job.id for job in work.jobs()] == list(range(MOST_JOBS + 5, 5, -1))
