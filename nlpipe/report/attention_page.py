"""Which source word an answer looked at, word by word: heat maps as inline SVG, one page for a few sentences."""

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
"""Width of a cell and of a letter, in pixels."""
LONGEST_WORD = 24
"""Letters of a word that are shown."""
LARGEST = 120
"""Most words of a side that are drawn; a longer text is cut, and the page says so."""
STYLE = (
    "body{font:14px system-ui,sans-serif;margin:2em;color:#222;background:#fff}svg{display:block;margin:1em 0 2.5em}"
    "text{font:13px ui-monospace,monospace;fill:#222}p{max-width:60em}"
)


def attention_of(pipeline: Pipeline, texts: Sequence[str]) -> list[Attention]:
    """What the head of ``pipeline`` attends to in each text.

    Raises:
        NlpipeError: its head has no attention to show.
    """
    head = able(pipeline.head, Attends)
    if head is None:
        raise NlpipeError(f"--attention: {type(pipeline.head).__name__} has none to show; 'lexical' and 'seq2seq' do")
    wire: Any = Text(texts)
    with inference():
        for stage in pipeline.body:
            wire = stage.process(wire)
        return list(head.attend(wire))


def page(found: Iterable[tuple[str, str, Attention]], title: str) -> str:
    """An HTML page of (source text, answer, attention); it needs no network and runs no script."""
    parts = [f'<!doctype html><html><head><meta charset="utf-8"><title>{_clean(title)}</title>']
    parts.append(f"<style>{STYLE}</style></head><body><h1>{_clean(title)}</h1>")
    parts.append("<p>Rows are words of the answer, columns words of the source; the darker, the more it counted.</p>")
    for source, answer, attended in found:
        parts.append(f"<h2>{_clean(source)}</h2><p>{_clean(answer)}</p>{heat_map(*attended)}")
    return "\n".join([*parts, "</body></html>\n"])


def heat_map(source: Sequence[str], target: Sequence[str], weights: np.ndarray) -> str:
    """``weights`` (T, S) as an SVG element, its labels the words of both sides."""
    rows, columns = len(target), len(source)
    if weights.shape != (rows, columns):
        raise AssertionError(f"weights of shape {weights.shape} for {rows} target and {columns} source words")
    if not rows or not columns:
        return "<p>(no words)</p>"
    cut = "" if max(rows, columns) <= LARGEST else f"<p>Only the first {LARGEST} words of a side are drawn.</p>"
    source, target, weights = source[:LARGEST], target[:LARGEST], weights[:LARGEST, :LARGEST]
    left, top = _width(target), _width(source)
    width, height = left + CELL * len(source) + 10, top + CELL * len(target) + 10
    parts = [f'{cut}<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" role="img">']
    for s, word in enumerate(source):
        x, y = left + CELL * (s + 0.7), top - 6
        parts.append(f'<text transform="translate({x:.1f},{y:.1f}) rotate(-90)">{_shown(word)}</text>')
    for t, word in enumerate(target):
        y = top + CELL * (t + 0.7)
        parts.append(f'<text x="{left - 6:.1f}" y="{y:.1f}" text-anchor="end">{_shown(word)}</text>')
        for s in range(len(source)):
            weight = float(np.clip(np.nan_to_num(weights[t, s]), 0.0, 1.0))
            place = f'x="{left + CELL * s:.1f}" y="{top + CELL * t:.1f}" width="{CELL - 1}" height="{CELL - 1}"'
            told = f"<title>{_shown(word)} ← {_shown(source[s])}: {weight:.3f}</title>"
            parts.append(f'<rect {place} fill="#08306b" fill-opacity="{0.04 + 0.96 * weight:.3f}">{told}</rect>')
    return "".join([*parts, "</svg>"])


def _shown(word: str) -> str:
    """A word as a label writes it."""
    return _clean(word if len(word) <= LONGEST_WORD else word[: LONGEST_WORD - 1] + "…")


def _clean(text: str) -> str:
    """A text as HTML may hold it: control characters and halves of surrogate pairs become U+FFFD."""
    return escape("".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") else c for c in text))


def _width(words: Sequence[str]) -> float:
    """Pixels that the longest of the words takes."""
    return 16 + LETTER * min(LONGEST_WORD, max(map(len, words)))
