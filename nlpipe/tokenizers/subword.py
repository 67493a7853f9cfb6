"""Subword tokenizers that are trained on the training split with Hugging Face ``tokenizers``: BPE, WordPiece, unigram.

Pieces keep the marker of their model ('▁' or 'Ġ' at the start of a word, '##' inside a word), so that a bag of pieces
distinguishes them and ``join`` can restore the text. The span of a piece covers its characters without the space
before them. A character belongs to the first piece that contains a part of it, so the span of a single '▁', or of a
byte in the middle of a character, is empty. Spans never overlap.

Training of BPE and WordPiece is deterministic. The scores of unigram pieces can differ by about 0.0002 between runs,
because the trainer sums in the order of a hash table.

Sennrich et al. 2016 (BPE), Wu et al. 2016 (WordPiece), Kudo 2018 (unigram), Radford et al. 2019 (byte-level BPE).
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Regex as Pattern
from tokenizers import Tokenizer as Pieces
from tokenizers import decoders, models, normalizers, pre_tokenizers, trainers

from nlpipe.errors import DataError, ModelError, NlpipeError
from nlpipe.long_texts import with_broken_words
from nlpipe.options import Positive
from nlpipe.stage import Data, State, Tokenizer
from nlpipe.tokenizers.span_tokenizer import Form, join_words, normalise_word
from nlpipe.wire import Span, Text, Tokens

UNKNOWN = "[UNK]"
"""The piece that stands for characters that do not occur in the training split."""
_LONGEST_WORD = 100
"""Maximum length of a word for WordPiece, in characters; the time of its search is quadratic in the length."""
_WORD_STARTS = ("▁", "Ġ")
_SEPARATE = r"[^\w\s'’]|(?<!\w)['’]|['’](?!\w)"
"""What WordPiece separates from words: punctuation and symbols, except an apostrophe inside a word."""


class SubwordTokenizer(Tokenizer):
    """A tokenizer that is trained; a subclass implements ``train`` and ``join``."""

    seeded = False

    keeps_words = False

    vocabulary_size: int
    lowercase: bool
    form: Form
    _pieces: Pieces | None = None
    _names: tuple[str, ...] = ()

    @abstractmethod
    def train(self, texts: list[str]) -> Pieces:
        """Train a model on ``texts`` and return it."""

    @property
    def pieces(self) -> Pieces:
        """The trained model.

        Raises:
            NlpipeError: it has not been trained yet.
        """
        if self._pieces is None:
            raise NlpipeError(f"{type(self).__name__} learns its pieces from the training split; call fit first")
        return self._pieces

    def _set_pieces(self, pieces: Pieces) -> None:
        pieces.encode_special_tokens = True  # the text '[UNK]' is read as five characters, not as the special piece
        ids = pieces.get_vocab()
        self._pieces, self._names = pieces, tuple(sorted(ids, key=ids.__getitem__))

    def fit(self, data: Data[Text]) -> None:
        texts = [text for source, _ in data for text in source.strings]
        if not any(text.strip() for text in texts):
            raise DataError(f"{type(self).__name__} cannot learn pieces: the training split has no text")
        self._set_pieces(self.train(with_broken_words(texts)))

    def forward(self, source: Text) -> Tokens:
        encodings = self.pieces.encode_batch_fast(source.strings, add_special_tokens=False)
        names = self._names  # encode_batch_fast returns ids only
        return Tokens([[names[i] for i in encoding.ids] for encoding in encodings], source.strings, self.spans)

    def spans(self, text: str, words: list[str]) -> list[Span]:
        encoding = self.pieces.encode(text, add_special_tokens=False)
        spans, previous_end = [], 0
        for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
            start = max(start, previous_end)
            end = max(end, start)
            while start < end and text[start].isspace():
                start += 1
            while start < end and text[end - 1].isspace():
                end -= 1
            if piece in _WORD_STARTS:  # its offsets are those of the space before the word or of the first letter
                end = start
            spans.append((start, end))
            previous_end = end
        return spans

    def normalise(self, word: str) -> str:
        return normalise_word(word, self.lowercase, self.form)

    def state(self) -> State:
        return State(data={"pieces": json.loads(self._pieces.to_str()) if self._pieces is not None else None})

    def load_state(self, state: State, version: int) -> None:
        super().load_state(state, version)
        if state.data["pieces"] is None:
            return
        try:
            self._set_pieces(Pieces.from_str(json.dumps(state.data["pieces"])))
        except Exception as error:  # tokenizers raises Exception itself
            raise ModelError(f"the saved pieces of {type(self).__name__} cannot be read: {error}") from error

    def _with_normalisation(self, model: Any, splitter: Any, spaces: bool = True) -> Pieces:
        """Return a ``tokenizers`` pipeline of this stage's normalisation, ``splitter`` and ``model``.

        Args:
            model: the subword model, trained or not.
            splitter: a pre-tokenizer.
            spaces: whether each run of white space is replaced by one space.
        """
        steps: list[Any] = []
        if self.form is not None:
            steps.append({"NFC": normalizers.NFC, "NFKC": normalizers.NFKC}[self.form]())
        if self.lowercase:
            steps.append(normalizers.Lowercase())
        if spaces:
            steps += [normalizers.Replace(Pattern(r"\s+"), " "), normalizers.Strip()]
        pieces = Pieces(model)
        if steps:
            pieces.normalizer = normalizers.Sequence(steps)
        pieces.pre_tokenizer = splitter
        return pieces


def _metaspace_splitter() -> Any:
    """A pre-tokenizer that writes '▁' for the space before a word and separates punctuation."""
    return pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])


def _join_metaspace(words: Sequence[str]) -> str:
    return "".join(words).replace("▁", " ").strip()


class BPE(SubwordTokenizer):
    """Byte-pair encoding: merge the most frequent pair of adjacent pieces until the vocabulary has its size.

    Every character of the training split is a piece, so the vocabulary can be larger than ``vocabulary_size``.

    Options:
        vocabulary_size: number of pieces to learn.
        min_frequency: how often a pair must occur to be merged.
        byte_level: whether pieces consist of UTF-8 bytes, so that no character is unknown.
        lowercase: whether to lower-case the text first.
        form: Unicode normalisation form of the text; null: no normalisation.
    """

    def __init__(
        self,
        vocabulary_size: Positive = 8000,
        min_frequency: Positive = 2,
        byte_level: bool = False,
        lowercase: bool = False,
        form: Form = "NFC",
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.min_frequency = min_frequency
        self.byte_level = byte_level
        self.lowercase = lowercase
        self.form = form

    def train(self, texts: list[str]) -> Pieces:
        if self.byte_level:
            pieces = self._with_normalisation(
                models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=True), spaces=False
            )
            alphabet, specials = sorted(pre_tokenizers.ByteLevel.alphabet()), []
        else:
            pieces = self._with_normalisation(models.BPE(unk_token=UNKNOWN), _metaspace_splitter())
            alphabet, specials = [], [UNKNOWN]
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=self.min_frequency,
            initial_alphabet=alphabet,
            special_tokens=specials,
            show_progress=False,
        )
        pieces.train_from_iterator(texts, trainer)
        return pieces

    def join(self, words: Sequence[str]) -> str:
        if self.byte_level:
            return str(decoders.ByteLevel().decode(list(words))).strip()
        return _join_metaspace(words)


class WordPiece(SubwordTokenizer):
    """WordPiece, as in BERT: split each word from the left into the longest known pieces; '##' marks the later ones.

    A word that contains a character which is not in the training split becomes '[UNK]' as a whole. Every character of
    the training split is a piece, with and without '##', so the vocabulary can be larger than ``vocabulary_size``.
    Words are cut every 100 characters.

    Options:
        vocabulary_size: number of pieces to learn.
        min_frequency: how often a pair must occur to be merged.
        lowercase: whether to lower-case the text first.
        form: Unicode normalisation form of the text; null: no normalisation.
    """

    def __init__(
        self,
        vocabulary_size: Positive = 8000,
        min_frequency: Positive = 2,
        lowercase: bool = False,
        form: Form = "NFC",
    ) -> None:
        self.vocabulary_size = vocabulary_size
        self.min_frequency = min_frequency
        self.lowercase = lowercase
        self.form = form

    def train(self, texts: list[str]) -> Pieces:
        pieces = self._with_normalisation(models.WordPiece(unk_token=UNKNOWN), self._splitter())
        trainer = trainers.WordPieceTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=self.min_frequency,
            # the trainer numbers '##a' differently in each run and breaks ties by number: number the letters here
            special_tokens=[UNKNOWN, *self._alphabet(texts, pieces)],
            show_progress=False,
        )
        pieces.train_from_iterator(texts, trainer)
        model = models.WordPiece(pieces.get_vocab(), unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD)
        return self._with_normalisation(
            model, self._splitter()
        )  # a new one, in which the letters are not special pieces

    def _splitter(self) -> Any:
        limit = pre_tokenizers.Split(Pattern(rf".{{1,{_LONGEST_WORD}}}"), "isolated")
        separate = pre_tokenizers.Split(Pattern(_SEPARATE), "isolated")
        return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), separate, limit])

    def _alphabet(self, texts: list[str], pieces: Pieces) -> Iterator[str]:
        letters = {letter for text in texts for letter in pieces.normalizer.normalize_str(text) if letter != " "}
        yield from sorted(letters)
        yield from sorted("##" + letter for letter in letters)

    def join(self, words: Sequence[str]) -> str:
        joined: list[str] = []
        for word in words:
            if word.startswith("##") and len(word) > 2 and joined:
                joined[-1] += word[2:]
            else:
                joined.append(word)
        return join_words(joined)


class Unigram(SubwordTokenizer):
    """Unigram model: the most probable split into pieces; training prunes a large initial vocabulary with EM.

    Options:
        vocabulary_size: number of pieces to keep.
        lowercase: whether to lower-case the text first.
        form: Unicode normalisation form of the text; null: no normalisation.
    """

    def __init__(self, vocabulary_size: Positive = 8000, lowercase: bool = False, form: Form = "NFKC") -> None:
        self.vocabulary_size = vocabulary_size
        self.lowercase = lowercase
        self.form = form

    def train(self, texts: list[str]) -> Pieces:
        pieces = self._with_normalisation(models.Unigram(), _metaspace_splitter())
        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocabulary_size, special_tokens=[UNKNOWN], unk_token=UNKNOWN, show_progress=False
        )
        pieces.train_from_iterator(texts, trainer)
        # the order of equal scores differs in each run: round, then sort
        scores = {piece: round(score, 6) for piece, score in json.loads(pieces.to_str())["model"]["vocab"]}
        scores.pop(UNKNOWN)
        ordered = sorted(scores.items(), key=lambda item: (-item[1], item[0]))
        return self._with_normalisation(models.Unigram([(UNKNOWN, 0.0), *ordered], unk_id=0), _metaspace_splitter())

    def join(self, words: Sequence[str]) -> str:
        return _join_metaspace(words)
