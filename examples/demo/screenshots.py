"""Take the picture of the docs: the page of a waiting request in the Temporal UI.

    python -m examples.demo.screenshots

It needs a chromium, which `CHROMIUM` names (default `/usr/bin/chromium`).
"""

from __future__ import annotations

import os
from datetime import timedelta

from playwright.async_api import Page, async_playwright

from client import Mutator, payload_of

from ..feature_flags import ChangeRollout
from ..servers import ROOT, Place, Processes, leave, point_at, run
from .ready import until_ready
from .stage import FLAGS, NotAsExpected

PICTURE = ROOT / "docs" / "images" / "temporal-ui-waiting-request.png"
PLACE = Place(ROOT / ".mutator" / "screenshots")
WORDS = ("Pending until", "approval by 2 of role:release-manager, 1 given", '["on", 25]')
"""What the page must say before its picture is taken."""

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


async def _take(processes: Processes) -> int:
    processes.place.clear()
    server = await processes.temporal()
    processes.worker(server)
    point_at(server)
    mutator = await Mutator.connect()
    await until_ready(mutator, processes)
    wish = payload_of(
        FLAGS,
        ChangeRollout(flag="new-checkout", variant="on", percentage=25),
        actor_id="dan",
        reason="the new checkout sells more",
        expires_in=timedelta(days=2).total_seconds(),
    )
    await mutator.submit(wish, request_id="checkout-25")
    request = await mutator.assessed("checkout-25")
    await mutator.approve("checkout-25", actor_id="ben", binding=request.binding)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = await browser.new_page(viewport={"width": 1440, "height": 800})
        await _photograph(page, f"{server.ui}/namespaces/default/workflows/checkout-25")
        await browser.close()
    return 0


async def _photograph(page: Page, address: str) -> None:
    """Photograph what the page says of the request, once it says it.

    Raises:
        NotAsExpected: It does not say what the request waits for, on whom and until when.
    """
    await page.goto(address)
    tab = page.get_by_text("User Metadata", exact=True).first
    await tab.click()
    for _ in range(100):
        said = " ".join([await frame.inner_text("body") for frame in page.frames])
        if all(words in said for words in WORDS):
            break
        await page.wait_for_timeout(100)
    else:
        raise NotAsExpected(f"The page should say {WORDS}; it says: {said}")
    PICTURE.parent.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURE)
    print(f"{PICTURE.relative_to(ROOT)}, {PICTURE.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    leave(run(PLACE, _take))
