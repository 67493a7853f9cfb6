"""Attention as heat maps: an HTML page with inline SVG of how much each answer word attends to each source word."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np

from nlpipe.capabilities import Attends, Attention, able
from nlpipe.errors import NlpipeError
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.batches import inference
from nlpipe.wire import Text

CELL, LETTER = 22, 7.6
"""Width of a cell and of a letter in pixels."""
MAX_LETTERS = 24
"""Maximum number of letters of a label; longer words are abbreviated."""
MAX_WORDS = 120
"""Maximum number of rows and of columns of a heat map; longer texts are cut, and the page says so."""
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}svg{display:block;margin:1em 0 2.5em}"
    "text{font:13px ui-monospace,monospace;fill:#222}p{max-width:60em}"
)


def attention_of(pipeline: Pipeline, texts: Sequence[str]) -> list[Attention]:
    """The attention with which the head of ``pipeline`` answers each text.

    Raises:
        NlpipeError: the head has no attention.
    """
    head = able(pipeline.head, Attends)
    if head is None:
        raise NlpipeError(
            f"--attention: the head {type(pipeline.head).__name__} has no attention; 'lexical' and 'seq2seq' have"
        )
    wire: Any = Text(texts)
    with inference():
        for stage in pipeline.body:
            wire = stage.process(wire)
        return list(head.attend(wire))


def page(answers: Iterable[tuple[str, str, Attention]], title: str) -> str:
    """An HTML page of (source text, answer, attention); it loads nothing from the network and runs no script."""
    parts = [f'<!doctype html><html><head><meta charset="utf-8"><title>{_clean(title)}</title>']
    parts.append(f"<style>{STYLE}</style></head><body><h1>{_clean(title)}</h1>")
    parts.append(
        "<p>Rows are words of the answer, columns are words of the source. Darker cells mean more attention.</p>"
    )
    for source, answer, attention in answers:
        parts.append(f"<h2>{_clean(source)}</h2><p>{_clean(answer)}</p>{heat_map(*attention)}")
    return "\n".join([*parts, "</body></html>\n"])


def heat_map(source: Sequence[str], target: Sequence[str], weights: np.ndarray) -> str:
    """``weights`` (T, S) as an SVG element, labelled with the S source words and the T target words."""
    rows, columns = len(target), len(source)
    if weights.shape != (rows, columns):
        raise AssertionError(f"weights of shape {weights.shape} for {rows} target and {columns} source words")
    if not rows or not columns:
        return "<p>(no words)</p>"
    note = f"<p>Only the first {MAX_WORDS} words of each side are drawn.</p>" if max(rows, columns) > MAX_WORDS else ""
    source, target, weights = source[:MAX_WORDS], target[:MAX_WORDS], weights[:MAX_WORDS, :MAX_WORDS]
    left, top = _width(target), _width(source)
    width, height = left + CELL * len(source) + 10, top + CELL * len(target) + 10
    parts = [f'{note}<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img">']
    for s, word in enumerate(source):
        x, y = left + CELL * (s + 0.7), top - 6
        parts.append(f'<text transform="translate({x:.1f},{y:.1f}) rotate(-90)">{_label(word)}</text>')
    for t, word in enumerate(target):
        y = top + CELL * (t + 0.7)
        parts.append(f'<text x="{left - 6:.1f}" y="{y:.1f}" text-anchor="end">{_label(word)}</text>')
        for s in range(len(source)):
            weight = float(np.clip(np.nan_to_num(weights[t, s]), 0.0, 1.0))
            rectangle = f'x="{left + CELL * s:.1f}" y="{top + CELL * t:.1f}" width="{CELL - 1}" height="{CELL - 1}"'
            tooltip = f"<title>{_label(word)} ← {_label(source[s])}: {weight:.3f}</title>"
            opacity = 0.04 + 0.96 * weight
            parts.append(f'<rect {rectangle} fill="#08306b" fill-opacity="{opacity:.3f}">{tooltip}</rect>')
    return "".join([*parts, "</svg>"])


def _label(word: str) -> str:
    """A word as a label, abbreviated if it is long."""
    return _clean(word if len(word) <= MAX_LETTERS else word[: MAX_LETTERS - 1] + "…")


def _clean(text: str) -> str:
    """A text escaped for HTML; control characters and unpaired surrogates become U+FFFD."""
    return escape("".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text))


def _width(words: Sequence[str]) -> float:
    """Width in pixels of the longest label."""
    return 16 + LETTER * min(MAX_LETTERS, max(map(len, words)))
