"""Secrets that change while the service runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from stream_sync.config.interpolation import Interpolation
from stream_sync.config.secrets import Secrets
from stream_sync.config.values import Secret


class Mounted:
    """A secret's volume as Kubernetes makes it: `key` -> `..data/key`, `..data` -> the folder of this version."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._version = 0
        self.swap("first-key")
        (folder / "key").symlink_to("..data/key")

    def swap(self, text: str) -> None:
        """A new folder, then `..data` moved to it at once; the old folder goes."""
        old = self.folder / f"..v{self._version}"
        self._version += 1
        new = self.folder / f"..v{self._version}"
        new.mkdir()
        (new / "key").write_text(text)
        (self.folder / "..data_tmp").symlink_to(new.name)
        (self.folder / "..data_tmp").replace(self.folder / "..data")
        if old.is_dir():
            (old / "key").unlink()
            old.rmdir()


class Config(BaseModel, arbitrary_types_allowed=True):
    api_key: Secret
    others: dict[str, Secret | str]


@pytest.fixture
def mounted(tmp_path: Path) -> Mounted:
    return Mounted(tmp_path)


def config(mounted: Mounted) -> Config:
    read = Interpolation({}, mounted.folder).text
    return Config(api_key=Secret.of(read("${file:key}")), others={"b": Secret.of("fixed"), "c": "text"})


def test_a_mounted_secret_that_is_swapped_is_read_and_told_with_the_others_once(mounted: Mounted) -> None:
    told: list[str] = []
    settings = config(mounted)
    secrets = Secrets(settings, told.append)
    assert not secrets.refresh()

    mounted.swap("second-key\n")
    assert secrets.refresh()
    assert not secrets.refresh()
    assert (settings.api_key.reveal(), told, secrets.version) == ("second-key", ["second-key", "fixed", "text"], 1)


def test_one_that_is_gone_or_empty_for_a_moment_stays_as_it_was(mounted: Mounted) -> None:
    settings = config(mounted)
    secrets = Secrets(settings, lambda _text: None)
    mounted.swap(" \n")
    assert not secrets.refresh()
    (mounted.folder / "..data").unlink()
    assert not secrets.refresh()
    assert settings.api_key.reveal() == "first-key"
