"""Every registered built-in stage is tried by the contract tests of its slot."""

from __future__ import annotations

from typing import Any

import pytest

from . import test_decoders, test_language_models, test_stages, test_tokenizers
from .examples import label, registered

EXPORTED = {("head", "ctranslate2")}
"""Made of a run, never fitted: tests/unit/integrations/test_ctranslate2.py tries it."""


def tried() -> set[tuple[str, str]]:
    """(slot, name) of every stage in the parameters of the contract tests."""
    tests: list[Any] = [
        *(parameters.values[0] for parameters in test_stages.ALL),
        *test_tokenizers.CASES,
        *test_decoders.CASES,
        *test_language_models.CASES,
    ]
    return {case[:2] for case in tests}


@pytest.mark.parametrize("stage", registered(), ids=label)
def test_every_stage_is_tried(stage: tuple[str, str]) -> None:
    assert stage in tried() | EXPORTED, f"the contract tests of the slot {stage[0]!r} do not try {stage[1]!r}"
