"""An HTML page of texts in which every token is the darker the less a language model expected it."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from nlpipe.pipeline.surprisal import Surprisal

MOST_BITS = 16.0
"""Bits from which on a token is as dark as it gets: one of 65,536 equally probable ones."""

STYLE = """
:root { color-scheme: light dark; }
body { font: 1.05rem/1.8 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; }
p { white-space: pre-wrap; overflow-wrap: anywhere; }
span { background: rgb(220 60 0 / var(--share)); border-radius: 0.2em; }
small { opacity: 0.7; }
"""


def surprisal_page(texts: Iterable[Surprisal], model: str) -> str:
    """One page for all texts; it loads nothing from the network. Pointing at a token shows its bits."""
    parts = [_paragraph(each) for each in texts]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Surprisal by {escape(model)}</title><style>{STYLE}</style>"
        f"<h1>Surprisal by {escape(model)}</h1><p>The darker a token, the less it was expected: white is 0 bits, the "
        f"darkest {MOST_BITS:g} bits or more.</p>{''.join(parts)}</html>\n"
    )


def _paragraph(scored: Surprisal) -> str:
    parts, reached, bits = [], 0, scored.bits
    for (start, end), value in zip(scored.spans, bits[:-1].tolist(), strict=True):
        parts.append(escape(scored.text[reached:start]))
        share = min(value / MOST_BITS, 1.0) * 0.8
        parts.append(
            f'<span style="--share:{share:.2f}" title="{value:.2f} bits">{escape(scored.text[start:end])}</span>'
        )
        reached = end
    parts.append(escape(scored.text[reached:]))
    mean = float(bits.sum()) / len(bits)
    return f"<p>{''.join(parts)}<br><small>{bits.sum():.1f} bits, {mean:.2f} a token, its end included</small></p>"
