"""Lays the pages out and builds the site from them: `python -m tests.site.build [FOLDER]`, as `make docs` does.

Invariants:
- The pages are those of the repository in the same places, so that one link serves a reader of the files and one of the
  site. Only of the README the tutorial becomes a page of its own, and the picture one that needs no foreign script.
- The generator is run strictly: a link or an anchor that leads nowhere fails. It asks nobody for anything.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "site"
SINGLE = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE", "deploy/README.md", "deploy/RUNBOOK.md")
TEST = re.compile(r"\]\(\.\./(tests/[\w/]+\.py)\)")
"""A test that a page names; it goes along as it is."""
FENCE = re.compile(r"```\n.*?```", re.DOTALL)
MERMAID = re.compile(r"```mermaid\n.*?```", re.DOTALL)
TUTORIAL = "Your own table in the sandbox, in five minutes"


def lay_out(folder: Path) -> None:
    """Copies the pages, and what they link to, into an empty folder."""
    pages = [*(ROOT / name for name in SINGLE), *(ROOT / "docs").rglob("*.md")]
    linked = {ROOT / name for page in pages for name in TEST.findall(page.read_text(encoding="utf-8"))}
    for path in (*pages, *linked, *(ROOT / "schemas").glob("*.json")):
        place = folder / path.relative_to(ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    before, heading, rest = readme.partition(f"\n## {TUTORIAL}\n")
    section, following, after = rest.partition("\n## ")
    assert following, f"the README has no section {TUTORIAL!r}"
    picture = FENCE.search((ROOT / "docs" / "concepts.md").read_text(encoding="utf-8"))
    assert picture is not None, "docs/concepts.md has a picture"
    home = f"{before}{heading}\n[The tutorial](tutorial.md).\n{following}{after}"
    (folder / "README.md").write_text(MERMAID.sub(lambda _: picture[0], home), encoding="utf-8")
    title = f"# Tutorial: {TUTORIAL[0].lower()}{TUTORIAL[1:]}\n"
    (folder / "tutorial.md").write_text(title + section, encoding="utf-8")


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Builds the site into `folder`/html from `folder`/pages."""
    shutil.rmtree(folder, ignore_errors=True)
    lay_out(folder / "pages")
    config = folder / "mkdocs.yml"
    shutil.copyfile(ROOT / "mkdocs.yml", config)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean", "-f", str(config)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def main() -> int:
    """The exit status."""
    folder = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else BUILD
    done = build(folder)
    sys.stderr.write(done.stdout + done.stderr)
    if done.returncode == 0:
        print(f"{folder / 'html' / 'index.html'}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
