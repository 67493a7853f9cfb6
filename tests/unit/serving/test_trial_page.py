"""The page to try the models in headless Chromium: each kind of answer, errors, and no request to elsewhere."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlpipe.serving.trial_page import trial_page
from tests.unit.serving import small_models

ROOT = Path(__file__).resolve().parents[3]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)


def test_the_policy_allows_what_is_on_the_page_and_nothing_else() -> None:
    html, headers = trial_page()
    policy = headers["Content-Security-Policy"]
    for tag, source in (("script", "script-src"), ("style", "style-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", html, flags=re.DOTALL)
        name = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{source} 'sha256-{name}';" in policy
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy
    assert not re.search(r"innerHTML|https?://|\son\w+=|\sstyle=", html)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of four models, of whose answers those below a confidence of 0.75 are unsure."""
    root = tmp_path_factory.mktemp("page")
    runs = [
        small_models.save_classifier(root / "reviews", labels=("<b>good</b>", "bad")),
        small_models.save_tagger(root / "names"),
        small_models.save_translator(root / "german"),
        small_models.save_label_sets(root / "topics"),
    ]
    options = ["--port", "0", "--max-length", "50", "--threshold", "0.75"]
    command = [sys.executable, "-m", "nlpipe", "serve", *map(str, runs), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=subprocess.DEVNULL, env=environment, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_answers_stand_side_by_side(url: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    heard: list[str] = []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        page.on("pageerror", lambda error: heard.append(str(error)))
        page.on("request", lambda each: None if each.url.startswith((url, "data:")) else heard.append(each.url))
        page.on("console", lambda message: heard.append(message.text))
        page.goto(url)

        def ask(text: str) -> list[Any]:
            page.locator("#text").fill(text)
            page.locator("#text").press("Control+Enter")
            sync_api.expect(page.locator("[aria-busy=false]")).to_have_count(4)
            return page.locator("article").all()

        page.locator("article").nth(3).wait_for()  # until the page knows the models

        reviews, names, german, topics = ask("🙂 fine Anna Berg in Oslo")
        assert reviews.locator(".answer").inner_text() == "<b>good</b>"
        assert reviews.locator("meter").count() == 2
        assert float(reviews.locator("meter").first.get_attribute("value")) > 0.5
        assert names.locator(".answer").inner_text() == "🙂 fine Anna BergPER in OsloLOC"
        assert (
            names.locator("mark").first.evaluate("each => getComputedStyle(each).backgroundColor") != "rgba(0, 0, 0, 0)"
        )
        assert topics.locator(".answer").inner_text() == "good"
        assert "unsure" not in reviews.inner_text()
        assert "zwei Hunde" in ask("two dogs")[2].inner_text()
        assert "unsure: confidence 50.0 %" in reviews.inner_text()  # it knows neither word
        assert german.locator("h2").inner_text() == "german"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert heard == []
        (failure, *_) = [card.locator(".failure").inner_text() for card in ask("word " * 20)]
        assert failure == "text 0 has 100 characters; at most 50 are accepted: cut it"
        browser.close()
