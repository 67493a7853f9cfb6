"""The dictionary tagger: it marks every name that was an entity in the training split. A baseline for all taggers."""

from __future__ import annotations

from collections import Counter

from nlpipe import tag_schemes
from nlpipe.errors import DataError
from nlpipe.options import Fraction
from nlpipe.predictions import Predictions
from nlpipe.stage import Data, Head, State
from nlpipe.wire import Tags, Tokens

Words = tuple[str, ...]


class Dictionary(Head[Tokens, Tags]):
    """Longest match of the entities of the training split, each with its most frequent type.

    A text is read once from left to right. At each word, the longest known name that begins there is marked.

    Options:
        lowercase: whether names are compared in lower case.
        share: in what share of its occurrences in the training split a name must be an entity to be marked.
    """

    seeded = False

    def __init__(self, lowercase: bool = True, share: Fraction = 0.5) -> None:
        self.lowercase = lowercase
        self.share = share
        self.names: dict[Words, str] = {}
        """Entity types by name."""
        self._lengths: dict[str, list[int]] = {}
        """By first word, how many words the names that begin with it have, longest first."""

    def _normalise(self, words: list[str]) -> list[str]:
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
                sentence = self._normalise(words)
                sentences.append(sentence)
                for start, end, kind in tag_schemes.to_spans(tags):
                    types.setdefault(tuple(sentence[start:end]), Counter())[kind] += 1
        self._set_names({name: counts.most_common(1)[0][0] for name, counts in types.items()})
        occurrences: Counter[Words] = Counter()
        for sentence in sentences:
            for start in range(len(sentence)):
                for length in self._lengths.get(sentence[start], ()):
                    name = tuple(sentence[start : start + length])
                    occurrences[name] += len(name) == length and name in self.names
        self._set_names(
            {name: kind for name, kind in self.names.items() if types[name].total() >= self.share * occurrences[name]}
        )

    def _set_names(self, names: dict[Words, str]) -> None:
        self.names = names
        lengths: dict[str, set[int]] = {}
        for name in names:
            lengths.setdefault(name[0], set()).add(len(name))
        self._lengths = {word: sorted(counts, reverse=True) for word, counts in lengths.items()}

    def predict(self, source: Tokens) -> Predictions[Tags]:
        """The tags of every text, in IOB2; a dictionary has no probabilities."""
        return Predictions(Tags([self._tag(words) for words in source.words], source))

    def _tag(self, words: list[str]) -> list[str]:
        sentence = self._normalise(words)
        spans = []
        start = 0
        while start < len(sentence):
            step = 1
            for length in self._lengths.get(sentence[start], ()):
                name = tuple(sentence[start : start + length])
                if name in self.names:
                    step = len(name)  # less than `length` where the text ends within a longer name
                    spans.append((start, start + step, self.names[name]))
                    break
            start += step
        return tag_schemes.from_spans(spans, len(words))

    def state(self) -> State:
        return State({}, {"names": [[list(name), kind] for name, kind in self.names.items()]})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        self._set_names({tuple(name): kind for name, kind in state.data["names"]})
