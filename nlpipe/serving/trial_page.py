"""The page to try the models: one file that loads nothing from elsewhere, and a policy that allows no more."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple


class Page(NamedTuple):
    """A page and the headers that it is sent with."""

    html: str
    headers: Mapping[str, str]


@functools.cache
def trial_page() -> Page:
    """The page; its script and its style are allowed by their hashes, requests to its own server alone."""
    style, script = _file("trial.css"), _file("trial.js")
    html = _file("trial.html").replace("{style}", style).replace("{script}", script)
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return Page(html, headers)


def _file(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """The name of inline content in a policy, https://www.w3.org/TR/CSP3/#grammardef-hash-source."""
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"
