"""The dictionary: what was an entity in the training split is one everywhere. What every tagger must beat."""

from __future__ import annotations

from collections import Counter

from nlpipe import tag_schemes
from nlpipe.errors import DataError
from nlpipe.options import Fraction
from nlpipe.stage import Data, Head, Predictions, State
from nlpipe.wire import Tags, Tokens

Words = tuple[str, ...]


class Dictionary(Head[Tokens, Tags]):
    """Longest match of the entities of the training split, each with the type it had most often.

    A text is gone through once, from left to right; the longest name that begins at a word is taken.

    Options:
        lowercase: whether capitals are told apart no more.
        share: how often, of all times its words stand in the training split, a name must be an entity there.
    """

    def __init__(self, lowercase: bool = True, share: Fraction = 0.5) -> None:
        self.lowercase = lowercase
        self.share = share
        self.names: dict[Words, str] = {}
        self._lengths: dict[str, list[int]] = {}

    def _key(self, words: list[str]) -> list[str]:
        return [word.lower() for word in words] if self.lowercase else words

    def fit(self, data: Data[Tokens]) -> None:
        """Collect the entities.

        Raises:
            DataError: the tags mark no entities.
        """
        types: dict[Words, Counter[str]] = {}
        sentences = []
        for source, target in data:
            for words, tags in zip(source.words, target.values, strict=True):
                if not tag_schemes.marks_entities(tags):
                    raise DataError("dictionary: the tags mark no entities (B-TYPE, I-TYPE, O); use another head")
                lowered = self._key(words)
                sentences.append(lowered)
                for start, end, kind in tag_schemes.to_spans(tags):
                    types.setdefault(tuple(lowered[start:end]), Counter())[kind] += 1
        self._set({name: counts.most_common(1)[0][0] for name, counts in types.items()})
        found: Counter[Words] = Counter()
        for words in sentences:
            for start in range(len(words)):
                for length in self._lengths.get(words[start], ()):
                    name = tuple(words[start : start + length])
                    found[name] += len(name) == length and name in self.names
        self._set({name: kind for name, kind in self.names.items() if types[name].total() >= self.share * found[name]})

    def _set(self, names: dict[Words, str]) -> None:
        self.names = names
        lengths: dict[str, set[int]] = {}
        for name in names:
            lengths.setdefault(name[0], set()).add(len(name))
        self._lengths = {word: sorted(known, reverse=True) for word, known in lengths.items()}

    def predict(self, source: Tokens) -> Predictions[Tags]:
        return Predictions(Tags([self._tag(words) for words in source.words], source))

    def _tag(self, words: list[str]) -> list[str]:
        lowered = self._key(words)
        units = []
        start = 0
        while start < len(words):
            step = 1
            for length in self._lengths.get(lowered[start], ()):
                name = tuple(lowered[start : start + length])
                if name in self.names:
                    step = len(name)  # near the end it is a shorter one that begins alike
                    units.append((start, start + step, self.names[name]))
                    break
            start += step
        return tag_schemes.from_spans(units, len(words))

    def state(self) -> State:
        return State({}, {"names": [[list(name), kind] for name, kind in self.names.items()]})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self._set({tuple(name): kind for name, kind in state.data["names"]})
