"""How much of its training text a language model repeats word for word, and whether personal data is in it.

Texts are drawn from the model without a prompt, and prefixes of the training text are continued by the most probable
tokens. Of both it is asked how much stands in the training text. Genuine text repeats other text too, so the same is
asked of held-out text: of excerpts that are as long as what was generated, and of prefixes of it.

Carlini et al. 2021, "Extracting Training Data from Large Language Models" (texts drawn without a prompt, personal
data); Carlini et al. 2023, "Quantifying Memorization Across Neural Language Models" (a model has memorised the
continuation of a prefix if it gives it exactly, greedily); Lee et al. 2022, "Deduplicating Training Data Makes Language
Models Better" (share of generated tokens that lie in long stretches of training text, found by a suffix array).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from nlpipe.audit.memorisation import USUAL, Memorisation, Passage, Repetition, Sampling, Share
from nlpipe.audit.numbered_texts import NumberedTexts, Prefix
from nlpipe.audit.personal_data import PersonalIndex
from nlpipe.audit.suffix_array import SuffixArray, covered
from nlpipe.errors import DataError, NlpipeError, NlpipeWarning
from nlpipe.pipeline import Pipeline
from nlpipe.pipeline.generation import Continuation
from nlpipe.wire import Text

WORDS = 10
"""Words in a row that count as repeated where the user names no length. Other texts of the same kind share 5 words in a
row with the training text now and then, and hardly ever 10: an audit shows how often held-out text does."""
MOST_TOKENS = 50
"""The most tokens that this length becomes, for models of characters; the papers count 50 word pieces."""
KEPT = 20
"""Repeated passages that are kept, the longest."""


def memorisation(
    pipeline: Pipeline,
    training: Sequence[str],
    held_out: Sequence[str],
    how: Sampling = USUAL,
    report: Callable[[str], None] = lambda message: None,
) -> Memorisation:
    """What ``pipeline`` repeats of its training text.

    Args:
        pipeline: a fitted language model.
        training: the texts that it was fitted on.
        held_out: other texts of the same kind.
        report: called with what is being done, in a few words.

    Raises:
        NlpipeError: it is no language model.
        DataError: one of both has no tokens.
    """
    tokenizer = pipeline.tokenizer
    if tokenizer is None:
        raise NlpipeError(f"{pipeline!r} has no tokenizer, and so is no language model")
    report(f"reading {len(training):,} training texts")
    known = NumberedTexts(training, tokenizer)
    others = NumberedTexts(held_out, tokenizer, known.numbers)
    for texts, name in ((known, "training"), (others, "held-out")):
        if not len(texts.ids):
            raise DataError(f"the {name} texts have no tokens: there is nothing to compare with")
    length = how.length or min(usual_length(known), how.max_new_tokens)
    context = how.context or length
    index = SuffixArray(known.bordered(), max(how.max_new_tokens, length))

    report(f"generating {how.samples:,} texts of at most {how.max_new_tokens:,} tokens")
    drawn = _generate(pipeline, [""] * how.samples, how, temperature=1.0)
    generated = [np.array(known.known(text.tokens), dtype=np.int64) for text in drawn]
    random = np.random.default_rng(how.seed)
    excerpts = others.excerpts([len(ids) for ids in generated], random)
    report(f"continuing prefixes of {context:,} tokens")
    continued, share = _continued(pipeline, known.prefixes(how.samples, context, length, random), length, how)
    _, other_share = _continued(pipeline, others.prefixes(how.samples, context, length, random), length, how)

    repetition = _repetition(index, generated, length, share)
    of_held_out = _repetition(index, excerpts, length, other_share)
    personal = PersonalIndex(training, lambda text: tokenizer.join(tokenizer.forward(Text([text])).words[0]))
    passages = [
        Passage(personal.masked(tokenizer.join(words)), len(words), times)
        for words, times in _passages(index, known, [text.tokens for text in (*drawn, *continued)], length)
    ]
    written = [(text.text, len(text.prompt)) for text in (*drawn, *continued)]
    return Memorisation(length, context, repetition, of_held_out, tuple(passages), personal.compared(written))


def usual_length(texts: NumberedTexts) -> int:
    """Tokens that ``WORDS`` words between white space have in ``texts``: from that number up to ``MOST_TOKENS``."""
    words = sum(len(text.split()) for text in texts.texts)
    return int(np.clip(round(WORDS * len(texts.ids) / max(1, words)), WORDS, MOST_TOKENS))


def _generate(pipeline: Pipeline, prompts: list[str], how: Sampling, temperature: float) -> list[Continuation]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NlpipeWarning)  # unknown words in prefixes are no news to the user
        return pipeline.generate(prompts, max_new_tokens=how.max_new_tokens, temperature=temperature, seed=how.seed)


def _continued(
    pipeline: Pipeline, prefixes: list[Prefix], length: int, how: Sampling
) -> tuple[list[Continuation], Share | None]:
    """Continuations of prefixes, and the share of those that equal the text for ``length`` tokens."""
    continued = _generate(pipeline, [prefix.prompt for prefix in prefixes], how, temperature=0.0)
    equal = [text.tokens[:length] == prefix.following for text, prefix in zip(continued, prefixes, strict=True)]
    return continued, Share.of(equal, [1] * len(equal))


def _repetition(index: SuffixArray, texts: list[np.ndarray], length: int, continued: Share | None) -> Repetition:
    lengths = np.array([len(ids) for ids in texts])
    matches = index.matches(np.concatenate(texts), lengths)
    inside = np.concatenate([[0], np.cumsum(covered(matches, length))])  # (Q + 1,)
    ends = np.cumsum(lengths)
    share = Share.of(inside[ends] - inside[ends - lengths], lengths)
    return Repetition(len(texts), share, int(matches.lengths.max(initial=0)), continued)


def _passages(
    index: SuffixArray, known: NumberedTexts, texts: Sequence[Sequence[str]], length: int
) -> list[tuple[tuple[str, ...], int]]:
    """The longest stretches of ``length`` or more tokens that stand in training, each once, and how often they do."""
    words = [word for text in texts for word in text]
    matches = index.matches(np.array(known.known(words), dtype=np.int64), np.array([len(text) for text in texts]))
    sizes = matches.lengths
    begins = np.ones(len(sizes), dtype=bool)  # whether it is not the rest of a stretch that begins before it
    begins[1:] = sizes[:-1] <= sizes[1:]
    starts = np.flatnonzero((sizes >= length) & begins)
    found: dict[tuple[str, ...], int] = {}
    for start in starts[np.argsort(-sizes[starts], kind="stable")].tolist():
        if len(found) < KEPT:
            found[tuple(words[start : start + int(sizes[start])])] = int(matches.times[start])
    return list(found.items())
