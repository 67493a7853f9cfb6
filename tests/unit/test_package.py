"""``import nlpipe``: what it offers is complete, for people and for editors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import nlpipe

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", dir(nlpipe))
def test_every_name_that_is_offered_is_there(name: str) -> None:
    assert getattr(nlpipe, name) is not None


def test_slots_are_reached_from_the_package_alone() -> None:
    code = "import nlpipe; print(nlpipe.tokenizers.Regex.__name__, nlpipe.search.__name__, nlpipe.Pipeline.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == "Regex nlpipe.search Pipeline\n"


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'nlpipe' has no attribute 'lod'; did you mean 'load'"):
        nlpipe.lod  # noqa: B018
