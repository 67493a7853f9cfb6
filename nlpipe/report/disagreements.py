"""Test items on which pipelines differ, as many as a page can hold."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nlpipe.report.page_answers import Answers

BYTES = 2_800_000
"""What all items may take as JSON, so that the page of 20 pipelines on 25,000 items is below 5 MB."""
LETTERS = 1500
"""Maximum length of a text on the page."""


@dataclass(frozen=True)
class Disagreements:
    """Items on which not all pipelines are right.

    Args:
        kind: of the answers: ``labels``, ``sets``, ``entities``, ``tags``, ``texts`` or ``probabilities``.
        pipelines: titles, in the order of the answers of an item.
        differ: how many items are answered in different ways.
        wrong_alike: how many are answered in one way, which is wrong.
        items: those that are shown, in the order of the split: ``n`` (line from 1), ``t`` (text or words), ``v`` (the
            distinct answers, the wanted one first), ``a`` (which of these each pipeline gave), ``s`` (score of each
            answer in percent).
    """

    kind: str
    pipelines: tuple[str, ...]
    differ: int
    wrong_alike: int
    items: tuple[dict[str, Any], ...]


def disagreements(
    titles: Sequence[str], answers: Sequence[Answers], texts: Sequence[str], limit: int = BYTES
) -> Disagreements:
    """The items on which pipelines differ, and where there is room those that all answer wrongly alike.

    Of more than fit, those shown are drawn at random, so that they are like the others.

    Args:
        answers: of each pipeline, to the same items in the same order.
        texts: the inputs; empty strings where they are not known.
        limit: bytes of all items as JSON.
    """
    first = answers[0]
    n = len(first.gold)
    differ = np.array([len({each.predicted[i] for each in answers}) > 1 for i in range(n)])
    wrong = np.array([not any(each.right[i] for each in answers) for i in range(n)]) & ~differ
    drawn = np.random.default_rng(0).permutation(n)
    items: list[dict[str, Any]] = []
    size = 0
    for i in (*drawn[differ[drawn]], *drawn[wrong[drawn]]):
        item = _item(int(i), answers, texts[i])
        size += len(json.dumps(item, ensure_ascii=False).encode("utf-8", "replace")) + 2
        if size > limit:
            break
        items.append(item)
    items.sort(key=lambda item: item["n"])
    return Disagreements(first.kind, tuple(titles), int(differ.sum()), int(wrong.sum()), tuple(items))


def _item(i: int, answers: Sequence[Answers], text: str) -> dict[str, Any]:
    first = answers[0]
    variants: dict[Any, int] = {first.gold[i]: 0}
    scores = [100]
    given = []
    for each in answers:
        answer = each.predicted[i]
        if answer not in variants:
            variants[answer] = len(variants)
            scores.append(round(100 * float(each.scores[i])))
        given.append(variants[answer])
    shown = [_cut(variant) if isinstance(variant, str) else variant for variant in variants]
    if first.kind == "probabilities":
        shown[0] = ""  # the wanted text is the source
    source: Any = first.words[i] if first.words else _cut(text)
    return {"n": i + 1, "t": source, "v": shown, "a": given, "s": scores}


def _cut(text: str) -> str:
    return text if len(text) <= LETTERS else text[:LETTERS] + " …"
