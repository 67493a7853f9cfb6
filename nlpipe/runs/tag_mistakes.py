"""Wrong tags: of entities, right where words and type are, or of words, where tags mark no entities."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from nlpipe.metrics.tag_metrics import strict_spans
from nlpipe.predictions import AnyPredictions, Predictions
from nlpipe.runs.mistake_records import Found, Wrong, confusions_of, groups_of
from nlpipe.tag_schemes import Unit
from nlpipe.wire import Tags


def of_tags(gold: Tags, predictions: Predictions[Tags]) -> Found:
    """Tags that mark no entities: each word is right or wrong."""
    pairs: Counter[tuple[str, str, bool]] = Counter()
    right: Counter[str] = Counter()
    worst: list[tuple[float, Wrong]] = []
    for i, (wanted, answered) in enumerate(zip(gold.values, predictions.values.values, strict=True)):
        places = [t for t in range(len(wanted)) if wanted[t] != answered[t]]
        right.update(tag for tag, answer in zip(wanted, answered, strict=True) if tag == answer)
        pairs.update((wanted[t], answered[t], True) for t in places)
        if places:
            words = _words(gold, i)
            shown, instead = (" ".join(f"{words[t]}/{tags[t]}" for t in places) for tags in (wanted, answered))
            worst.append((_confidence(predictions, i, places), (i, float(len(places)), shown, instead)))
    every, answers = (Counter(tag for tags in wire.values for tag in tags) for wire in (gold, predictions.values))
    measure = "the number of words with a wrong tag"
    return Found(measure, _ordered(worst), confusions_of(pairs), groups_of(every, answers, right))


def of_entities(gold: Tags, predictions: Predictions[Tags]) -> Found:
    """Entities, right where words and type are; strict IOB2, as ``f1`` has it."""
    pairs: Counter[tuple[str, str, bool]] = Counter()
    counts: list[Counter[str]] = [Counter(), Counter(), Counter()]  # gold, predicted, right
    worst: list[tuple[float, Wrong]] = []
    for i, (wanted, answered) in enumerate(zip(gold.values, predictions.values.values, strict=True)):
        true, predicted = strict_spans(wanted), strict_spans(answered)
        both = set(true) & set(predicted)
        missed, invented = [u for u in true if u not in both], [u for u in predicted if u not in both]
        lost: Counter[str] = Counter()  # those that the words cannot express
        if gold.entities is not None:
            lost = Counter(kind for *_, kind in gold.entities[i]) - Counter(kind for *_, kind in true)
        for count, units in zip(counts, (true, predicted, both), strict=True):
            count.update(kind for *_, kind in units)
        counts[0].update(lost)
        wrong = [*paired(missed, invented), *((kind, "", True) for kind in lost.elements())]
        pairs.update(wrong)
        if wrong:
            words = _words(gold, i)
            shown = ", ".join([*(_unit(words, unit) for unit in missed), *(f"?/{kind}" for kind in lost.elements())])
            instead = ", ".join(_unit(words, unit) for unit in invented)
            places = sorted({t for unit in (*missed, *invented) for t in range(unit[0], unit[1])})
            worst.append((_confidence(predictions, i, places), (i, float(len(wrong)), shown, instead)))
    return Found("the number of wrong entities", _ordered(worst), confusions_of(pairs), groups_of(*counts))


def _ordered(worst: Sequence[tuple[float, Wrong]]) -> tuple[Wrong, ...]:
    """Those with the most mistakes first, then those that the pipeline was surest of, then by place."""
    return tuple(wrong for _, wrong in sorted(worst, key=lambda each: (-(each[1][1] or 0.0), -each[0], each[1][0])))


def paired(missed: Sequence[Unit], invented: Sequence[Unit]) -> list[tuple[str, str, bool]]:
    """Gold and predicted type of entities that share words, the largest share first; of the rest each alone."""
    shared = [
        (min(one[1], other[1]) - max(one[0], other[0]), -k, -m)
        for k, one in enumerate(missed)
        for m, other in enumerate(invented)
    ]
    pairs, used = [], (set[int](), set[int]())
    for words, k, m in sorted(shared, reverse=True):
        if words > 0 and -k not in used[0] and -m not in used[1]:
            used[0].add(-k)
            used[1].add(-m)
            one, other = missed[-k], invented[-m]
            pairs.append((one[2], other[2], one[:2] == other[:2]))
    pairs += [(unit[2], "", True) for k, unit in enumerate(missed) if k not in used[0]]
    return pairs + [("", unit[2], True) for m, unit in enumerate(invented) if m not in used[1]]


def _words(gold: Tags, i: int) -> list[str]:
    assert gold.tokens is not None
    return gold.tokens.words[i]


def _unit(words: Sequence[str], unit: Unit) -> str:
    return f"{' '.join(words[unit[0] : unit[1]])}/{unit[2]}"


def _confidence(predictions: AnyPredictions, i: int, places: Sequence[int]) -> float:
    """The sum of the scores of the wrongly tagged words, by which texts with equally many mistakes are ordered.

    0 where the answers have no scores.
    """
    if predictions.scores is None:
        return 0.0
    return float(np.sum(np.asarray(predictions.scores[i])[list(places)])) if places else 0.0
