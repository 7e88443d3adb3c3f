"""The console in a real browser: by keyboard, in both themes, on a phone, with everything that the policy forbids.

Skipped where there is no Chromium. `CONSOLE_SCREENSHOTS=FOLDER` keeps pictures of what is seen.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
import pytest_asyncio

from stream_sync.admin import views
from stream_sync.delivery.ports import Settled
from stream_sync.delivery.standing import LaneStatus
from stream_sync.model import Intent
from tests.admin.served import TOKEN, Site, site
from tests.delivery.parts import Told

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
playwright = pytest.importorskip("playwright.async_api", reason="the extra `tools` is not installed: make tools")
if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium: make tools"),
    pytest.mark.asyncio(loop_scope="module"),
]
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
Theme = Literal["light", "dark"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with playwright.async_playwright() as driver:
        yield await driver.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))


@contextlib.asynccontextmanager
async def browsing(browser: Browser, console: Site, theme: Theme = "light", width: int = 1280) -> AsyncIterator[Page]:
    """The page in a browser; at the end nothing was wrong with it and nothing was asked of anybody else."""
    wrong: list[str] = []
    context = await browser.new_context(color_scheme=theme, viewport={"width": width, "height": 844})
    try:
        page = await context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda line: wrong.append(line.text) if line.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith(console.url) else wrong.append(asked.url))
        await page.goto(console.url)
        await page.get_by_role("article").first.wait_for()
        yield page
    finally:
        await context.close()
    assert [line for line in wrong if "401" not in line] == []


async def keep(page: Page, name: str) -> None:
    """A picture for a person, where one wants it."""
    if folder := os.environ.get("CONSOLE_SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 390)])
async def test_what_there_is_fits_and_can_be_read(browser: Browser, tmp_path: Path, theme: Theme, width: int) -> None:
    async with site(tmp_path) as console:
        console.lane.lag(1200)
        console.lane.held_deletes(2)
        console.lane.warning("exit_unknown")
        console.service.lanes["gold"] = LaneStatus("halted", "unauthorized", is_paused=False, next_run=None)
        async with browsing(browser, console, theme, width) as page:
            lane = page.get_by_role("article")
            told = await lane.inner_text()
            await page.get_by_text("1 lane halted, 2 held deletes, 2 dead letters").wait_for()
            title = await page.title()
            await page.get_by_role("link", name="gold").click()
            await page.get_by_role("heading", name="Held deletes: 2 waiting").wait_for()
            overflow = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
            ratio = await page.evaluate(CONTRAST)
            await keep(page, f"detail-{theme}-{width}")

    assert all(text in told for text in ("halted", "Halted: unauthorized", "1,200 in Kafka", "2 wait for you"))
    assert title == "(3) acme – stream-sync"
    assert overflow <= 0
    assert ratio >= 4.5


async def test_letters_are_replayed_by_keyboard_alone(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as console, browsing(browser, console) as page:
        await tab_to(page, "gold")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Dead letters: 2 open").wait_for()
        await tab_to(page, "no_key 1")
        await page.keyboard.press("Space")
        await tab_to(page, "Replay those with no_key …")
        await page.keyboard.press("Enter")
        await page.get_by_label("Token", exact=True).wait_for()
        await page.keyboard.type("not the right token")
        await page.keyboard.press("Enter")
        await page.get_by_text("That token is not the one of the config.").wait_for()
        await page.keyboard.type(TOKEN)
        await page.keyboard.press("Enter")
        await page.get_by_text("2 people are sent whole, 1 person is deleted.").wait_for()
        assert await focused(page) == "Cancel"
        asked_before = list(console.work.asked)
        await page.keyboard.press("Shift+Tab")
        await page.keyboard.press("Enter")
        await page.get_by_role("cell", name="2 delivered").wait_for()
        await keep(page, "replayed")

    assert [order.dry_run for _, _, order in asked_before] == [True]
    assert console.work.asked[1:] == [("gold", "replay", views.Order(agreed=1, code="no_key"))]


async def test_what_is_cancelled_is_not_done_and_escape_cancels(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path) as console:
        console.lane.held_deletes(2)
        async with browsing(browser, console) as page:
            await page.get_by_role("link", name="gold").click()
            await page.get_by_role("button", name="Discard …").click()
            await page.get_by_text("cannot be undone").wait_for()
            await page.keyboard.press("Escape")
            await page.get_by_role("button", name="Pause gold").click()
            await page.get_by_label("Token", exact=True).fill(TOKEN)
            await page.keyboard.press("Enter")
            await page.get_by_role("button", name="Resume gold").wait_for()

    assert console.work.asked == []
    assert console.service.lanes["gold"].is_paused


async def test_changes_are_shown_while_somebody_watches_and_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    async with site(tmp_path, console="read") as console:
        bad = "<img src=x onerror=alert(1)>"
        console.letters.open[0] = views.Letter(0, 3, 1, 70, "<b>x</b>", "", "", "1", "2026-11-22T10:00:00Z", bad, "a1")
        async with browsing(browser, console) as page:
            assert console.service.onlookers == {}
            await page.get_by_role("button", name="Watch").click()
            await page.get_by_text("Waiting for changes.").wait_for()
            intent = Intent("update", "zoe@example.com", "email", {"ltv": 1234})
            console.service.onlookers["gold"].tell(Settled(Told(0, 7), (6, 7), "delivered", intent))
            await page.get_by_role("cell", name="0/7 (+1)").wait_for()
            seen = await page.locator("#change-list").inner_text()
            await page.get_by_role("link", name="gold").click()
            await page.get_by_role("cell", name=bad).wait_for()
            buttons = await page.get_by_role("button").all_inner_texts()

    assert "delivered" in seen
    assert "ltv" in seen
    assert "zoe" not in seen
    assert "1234" not in seen
    assert not any(word in " ".join(buttons) for word in ("Pause", "Replay", "token"))


async def tab_to(page: Page, text: str) -> None:
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await focused(page) == text:
            return
    raise AssertionError(f"{text!r} cannot be reached with Tab")


async def focused(page: Page) -> str:
    return str(await page.evaluate("document.activeElement.textContent"))


CONTRAST = """() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map(Number).map((c) => c / 255)
      .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    const colour = getComputedStyle(element).backgroundColor;
    return colour.startsWith("rgba(0, 0, 0, 0") && element.parentElement ? behind(element.parentElement) : colour;
  };
  const says = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const texts = [...document.querySelectorAll("body *")].filter((each) => each.checkVisibility() && says(each));
  return Math.min(...texts.map((element) => {
    const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  }));
}"""
"""The lowest contrast of any text with what is behind it, as WCAG 2 counts it."""
