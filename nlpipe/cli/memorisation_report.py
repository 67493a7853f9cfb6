"""What ``nlpipe audit`` prints: how much is repeated beside held-out text, the passages, the personal data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nlpipe.audit.memorisation import Memorisation, Share
from nlpipe.compare.table import Line, Table
from nlpipe.runs.model_audit import ModelAudit

if TYPE_CHECKING:
    from rich.console import Console

SHOWN = 5
"""Passages that are shown."""
LONGEST = 200
"""Characters of a passage that are shown."""


def show_model_audit(audit: ModelAudit, console: Console) -> None:
    """Print ``audit`` to ``console``."""
    for part in (*_repetition(audit), *_passages(audit.found), *_personal_data(audit.found)):
        console.print(part.terminal(console) if isinstance(part, Table) else part, soft_wrap=True)


def _repetition(audit: ModelAudit) -> Iterator[Table | str]:
    found, how = audit.found, audit.how
    ours, others = found.generated, found.held_out
    yield (
        f"{audit.name}, fitted on {audit.data}: {how.samples:,} texts of at most {how.max_new_tokens:,} tokens, and "
        "held-out text (dev)"
    )
    headings = ("what stands in training", "generated", "held-out")
    lines = [
        Line((f"tokens in runs of {found.length} or more", _share(ours.repeated), _share(others.repeated))),
        Line(("longest run, in tokens", f"{ours.longest:,}", f"{others.longest:,}")),
        Line((f"prefixes continued for {found.length}", _share(ours.continued), _share(others.continued))),
    ]
    caption = (
        f"in parentheses 95 % intervals; continued: {_total(ours.continued):,} prefixes of training and "
        f"{_total(others.continued):,} of held-out text,\nof {found.context} tokens, by the most probable tokens"
    )
    yield ""
    yield Table("", headings, tuple(lines), caption, essential=frozenset(headings))
    yield ""
    yield _sentence(
        "generated text repeats more of the training text than held-out text does", ours.repeated, others.repeated
    )
    if ours.continued is None:
        yield (
            f"no training text has {found.context + found.length} tokens, so that no prefix was continued; smaller "
            "--length and --context need fewer"
        )
    else:
        yield _sentence(
            "prefixes of training text are continued exactly more often than those of held-out text",
            ours.continued, others.continued,
        )  # fmt: skip


def _sentence(claim: str, ours: Share | None, others: Share | None) -> str:
    """The claim, or that it is not shown, by whether the intervals are apart."""
    if ours is not None and others is not None and ours.low > others.high:
        return f"{claim[0].upper()}{claim[1:]} (the intervals are apart)."
    return f"It is not shown that {claim}."


def _share(share: Share | None) -> str:
    return "–" if share is None else f"{share.value:.1%} ({100 * share.low:.1f}–{100 * share.high:.1f})"


def _total(share: Share | None) -> int:
    return 0 if share is None else share.total


def _passages(found: Memorisation) -> Iterator[str]:
    if not found.passages:
        return
    yield "\nthe longest passages that it repeats, when it draws or continues"
    for passage in found.passages[:SHOWN]:
        times = "once" if passage.times == 1 else f"{passage.times:,} times"
        yield f"  {passage.tokens:,} tokens, {times} in training: {_line(passage.text)}"
    if len(found.passages) > SHOWN:
        yield f"  and {len(found.passages) - SHOWN:,} more; --json lists the longest"


def _personal_data(found: Memorisation) -> Iterator[Table | str]:
    yield ""
    kinds = [each for each in found.personal_data if each.training or each.generated]
    if not kinds:
        looked_for = ", ".join(each.kind for each in found.personal_data)
        yield f"personal data: none in the training text or in what was generated, of these: {looked_for}"
        return
    headings = ("personal data", "in training", "generated", "both", "masked")
    lines = [
        Line(
            (*_cells(each.kind, each.training, each.generated, each.repeated), "  ".join(each.examples[:2])),
            failed=bool(each.repeated),
        )
        for each in kinds
    ]
    caption = "different ones, found by their form; names and postal addresses are not looked for"
    yield Table("", headings, tuple(lines), caption, essential=frozenset(headings[:4]))


def _cells(kind: str, *counts: int) -> tuple[str, ...]:
    return kind, *(f"{count:,}" for count in counts)


def _line(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text[: 4 * LONGEST]).split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
