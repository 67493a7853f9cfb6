"""Files of a package index by their hash, through the index's own interface, for environments without pip.

The simple repository API: PEP 691 (JSON) and PEP 503 (HTML). The indexes are those that pip is told to use.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import urldefrag, urljoin

from nlpipe.errors import DataError

DEFAULT = "https://pypi.org/simple"
ACCEPTED = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
TIMEOUT = 30.0
"""Seconds without an answer after which an index counts as unreachable."""
LINK = re.compile(r"""<a\s[^>]*href=["']([^"']+)["']""", re.IGNORECASE)


def indexes() -> list[str]:
    """The addresses of the indexes, the first one first: of the environment, else of pip's files, else PyPI."""
    settings: dict[str, str] = {}
    for path in _configuration_files():
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError, OSError):
            continue  # pip would complain; here another file or the default serves
        for section in ("global", "download"):
            if parser.has_section(section):
                settings |= {name.replace("_", "-"): value for name, value in parser[section].items()}
    main = os.environ.get("PIP_INDEX_URL") or settings.get("index-url") or os.environ.get("UV_DEFAULT_INDEX") or DEFAULT
    extra = os.environ.get("PIP_EXTRA_INDEX_URL") or settings.get("extra-index-url") or ""
    return list(dict.fromkeys([main, *extra.split()]))


def _configuration_files() -> list[Path]:
    """Where pip reads its settings, the strongest last."""
    given = os.environ.get("PIP_CONFIG_FILE")
    if given == os.devnull:
        return []
    home = Path.home()
    user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    paths = [
        Path("/etc/pip.conf"),
        home / ".pip" / "pip.conf",
        user / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf",
    ]
    return [*paths, *([Path(given)] if given else [])]


def download(requirement: str, sha256: str, folder: Path) -> Path:
    """Download the file of ``requirement`` (``name==version``) whose hash an index gives as ``sha256``.

    Raises:
        DataError: no index can be reached, or none has the file.
    """
    name = re.sub(r"[-_.]+", "-", requirement.partition("==")[0]).lower()
    causes = []
    for index in indexes():
        page = f"{index.rstrip('/')}/{name}/"
        try:
            address = next((each for each, digest in _files(page) if digest == sha256), None)
            if address is None:
                causes.append(f"{_shown(index)} has no file of {name} with this sha256")
                continue
            target = folder / Path(address).name
            with urllib.request.urlopen(address, timeout=TIMEOUT) as source, target.open("wb") as copy:
                shutil.copyfileobj(source, copy)
            return target
        except urllib.error.HTTPError as error:
            causes.append(f"{_shown(index)} answers {error.code} {error.reason}")
        except (urllib.error.URLError, TimeoutError, ValueError) as error:
            reason = getattr(error, "reason", error)
            causes.append(f"no network, or {_shown(index)} cannot be reached ({reason})")
    raise DataError("; ".join(causes))


def _files(page: str) -> Iterator[tuple[str, str]]:
    """Address and sha256 of each file on a project's page."""
    request = urllib.request.Request(page, headers={"Accept": ACCEPTED})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        content = answer.read().decode("utf-8", "replace")
        base = answer.geturl()
        kind = answer.headers.get("Content-Type") or ""
    if "json" in kind:
        for file in json.loads(content).get("files", []):
            yield urljoin(base, file["url"]), file.get("hashes", {}).get("sha256", "")
        return
    for link in LINK.findall(content):
        address, fragment = urldefrag(urljoin(base, unescape(link)))
        yield address, fragment.removeprefix("sha256=")


def _shown(index: str) -> str:
    """An index without the name and password in its address."""
    return re.sub(r"//[^/@]*@", "//", index)
