"""The site of the documentation: every page is in it, every link leads somewhere, and the reference is the code's."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.site.build import ROOT, build, lay_out
from tests.site.reference import FOLDER, PAGES


@pytest.mark.parametrize("page", PAGES)
def test_the_reference_is_the_code_s(page: str) -> None:
    written = (FOLDER / page).read_text(encoding="utf-8")
    assert written == PAGES[page](), "write it anew: python -m tests.site.reference"


def test_every_page_is_in_the_navigation_once(tmp_path: Path) -> None:
    lay_out(tmp_path)
    pages = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.md")}
    yaml = YAML(typ="rt")
    found = list(leaves(yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]))

    assert sorted(found) == sorted(pages), "a page has its line in mkdocs.yml"


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="the extra `docs` is not installed: make docs")
def test_the_site_is_built_strictly_and_asks_nobody_else(tmp_path: Path) -> None:
    done = build(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr

    pages = [path.read_text(encoding="utf-8") for path in (tmp_path / "html").rglob("*.html")]
    assert len(pages) > 20
    for page in pages:
        assert not re.findall(r'<(?:script|img|iframe)[^>]*\ssrc="(?:https?:)?//[^"]*"', page)
        assert not re.findall(r'<link[^>]*rel="(?:stylesheet|preconnect)"[^>]*href="(?:https?:)?//[^"]*"', page)


def leaves(navigation: Any) -> list[str]:
    match navigation:
        case str():
            return [str(navigation)]
        case dict():
            return [leaf for part in navigation.values() for leaf in leaves(part)]
    return [leaf for part in navigation for leaf in leaves(part)]
