"""Word pieces learned from the training split with Hugging Face ``tokenizers``: BPE, WordPiece, unigram.

Pieces keep the mark of their kind ('▁' or 'Ġ' where a word begins, '##' where one goes on), so that a bag of pieces
tells them apart and ``join`` can put them together. A piece's span covers the characters it stands for, without the
space before them; a character belongs to the first piece that touches it, so that the span of a lone '▁', or of a
byte in the middle of a character, is empty. Spans never overlap. Training is deterministic.

Sennrich et al. 2016 (BPE), Wu et al. 2016 (WordPiece), Kudo 2018 (unigram), Radford et al. 2019 (bytes).
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
from nlpipe.options import Positive
from nlpipe.stage import Data, State, Tokenizer
from nlpipe.tokenizers.surface import Form, join_words, normalise_word
from nlpipe.wire import Span, Text, Tokens

UNKNOWN = "[UNK]"
"""The piece that stands for characters which training did not see."""
_LONGEST_WORD = 100
"""Characters in a row that WordPiece looks at together; its search is quadratic in them."""
_STARTS = ("▁", "Ġ")
_APART = r"[^\w\s'’]|(?<!\w)['’]|['’](?!\w)"
"""What WordPiece sets apart from words: marks and symbols, but for an apostrophe within a word."""


class _Subword(Tokenizer):
    """A tokenizer that is trained; subclasses make the model and its trainer."""

    vocabulary_size: int
    lowercase: bool
    form: Form
    _pieces: Pieces | None = None
    _names: tuple[str, ...] = ()

    @abstractmethod
    def train(self, texts: list[str]) -> Pieces:
        """A model learned from ``texts``."""

    @property
    def pieces(self) -> Pieces:
        """The trained model.

        Raises:
            NlpipeError: there is none yet.
        """
        if self._pieces is None:
            raise NlpipeError(f"{type(self).__name__} learns its pieces from training texts; call fit first")
        return self._pieces

    def _use(self, pieces: Pieces) -> None:
        pieces.encode_special_tokens = True  # a '[UNK]' that stands in a text is the five characters it is
        ids = pieces.get_vocab()
        self._pieces, self._names = pieces, tuple(sorted(ids, key=ids.__getitem__))

    def fit(self, data: Data[Text]) -> None:
        texts = [text for source, _ in data for text in source.strings]
        if not any(text.strip() for text in texts):
            raise DataError(f"{type(self).__name__} cannot learn pieces: the training split has no text")
        self._use(self.train(texts))

    def forward(self, source: Text) -> Tokens:
        encodings = self.pieces.encode_batch_fast(source.strings, add_special_tokens=False)
        names = self._names  # fast encodings hold ids alone
        return Tokens([[names[i] for i in encoding.ids] for encoding in encodings], source.strings, self.spans)

    def spans(self, text: str, words: list[str]) -> list[Span]:
        encoding = self.pieces.encode(text, add_special_tokens=False)
        spans, reached = [], 0
        for piece, (start, end) in zip(encoding.tokens, encoding.offsets, strict=True):
            start = max(start, reached)
            end = max(end, start)
            while start < end and text[start].isspace():
                start += 1
            while start < end and text[end - 1].isspace():
                end -= 1
            if piece in _STARTS:  # its offsets are those of the space before the word, or of the first letter
                end = start
            spans.append((start, end))
            reached = end
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
            self._use(Pieces.from_str(json.dumps(state.data["pieces"])))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(f"the saved pieces of {type(self).__name__} cannot be read: {error}") from error

    def _empty(self, model: Any, splitter: Any, spaces: bool = True) -> Pieces:
        """An untrained model behind this tokenizer's normalisation; ``spaces``: runs of white space become one."""
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


def _spaced() -> Any:
    """Words with '▁' for the space before them; punctuation apart."""
    return pre_tokenizers.Sequence([pre_tokenizers.Metaspace(), pre_tokenizers.Punctuation()])


def _join_spaced(words: Sequence[str]) -> str:
    return "".join(words).replace("▁", " ").strip()


class BPE(_Subword):
    """Byte-pair encoding: the most frequent pair of neighbours becomes a piece, until the vocabulary is full.

    Every character of the training split is a piece too, so that the vocabulary may come out larger than asked for.

    Options:
        vocabulary_size: pieces to learn.
        min_frequency: how often a pair must occur to become a piece.
        byte_level: whether pieces are made of UTF-8 bytes, so that no character is unknown.
        lowercase: whether the text is lower-cased first.
        form: Unicode normalisation form of the text; null leaves it as it is.
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
            pieces = self._empty(models.BPE(), pre_tokenizers.ByteLevel(add_prefix_space=True), spaces=False)
            alphabet, specials = sorted(pre_tokenizers.ByteLevel.alphabet()), []
        else:
            pieces = self._empty(models.BPE(unk_token=UNKNOWN), _spaced())
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
        return _join_spaced(words)


class WordPiece(_Subword):
    """BERT's pieces: a word is cut from the left into the longest known pieces, later ones marked '##'.

    A word with a character that training did not see is '[UNK]' as a whole. Every character of the training split is
    a piece in both forms, so that the vocabulary may come out larger than asked for. Runs of letters without a space
    are cut every 100 characters.

    Options:
        vocabulary_size: pieces to learn.
        min_frequency: how often a pair must occur to become a piece.
        lowercase: whether the text is lower-cased first.
        form: Unicode normalisation form of the text; null leaves it as it is.
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
        pieces = self._empty(models.WordPiece(unk_token=UNKNOWN), self._splitter())
        trainer = trainers.WordPieceTrainer(
            vocab_size=self.vocabulary_size,
            min_frequency=self.min_frequency,
            # the trainer numbers '##a' in an order that changes from run to run, and ties go by number
            special_tokens=[UNKNOWN, *self._alphabet(texts, pieces)],
            show_progress=False,
        )
        pieces.train_from_iterator(texts, trainer)
        model = models.WordPiece(pieces.get_vocab(), unk_token=UNKNOWN, max_input_chars_per_word=_LONGEST_WORD)
        return self._empty(model, self._splitter())  # a fresh one: the letters are not special

    def _splitter(self) -> Any:
        cap = pre_tokenizers.Split(Pattern(rf".{{1,{_LONGEST_WORD}}}"), "isolated")
        apart = pre_tokenizers.Split(Pattern(_APART), "isolated")
        return pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), apart, cap])

    def _alphabet(self, texts: list[str], pieces: Pieces) -> Iterator[str]:
        letters = {letter for text in texts for letter in pieces.normalizer.normalize_str(text) if letter != " "}
        yield from sorted(letters)
        yield from sorted("##" + letter for letter in letters)

    def join(self, words: Sequence[str]) -> str:
        whole: list[str] = []
        for word in words:
            if word.startswith("##") and len(word) > 2 and whole:
                whole[-1] += word[2:]
            else:
                whole.append(word)
        return join_words(whole)


class Unigram(_Subword):
    """The most probable cut under a unigram model of pieces, pruned from a large seed vocabulary by EM.

    Options:
        vocabulary_size: pieces to keep.
        lowercase: whether the text is lower-cased first.
        form: Unicode normalisation form of the text; null leaves it as it is.
    """

    def __init__(self, vocabulary_size: Positive = 8000, lowercase: bool = False, form: Form = "NFKC") -> None:
        self.vocabulary_size = vocabulary_size
        self.lowercase = lowercase
        self.form = form

    def train(self, texts: list[str]) -> Pieces:
        pieces = self._empty(models.Unigram(), _spaced())
        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocabulary_size, special_tokens=[UNKNOWN], unk_token=UNKNOWN, show_progress=False
        )
        pieces.train_from_iterator(texts, trainer)
        # sums over threads differ in the last bits from run to run: round, then order by what is left
        learned = {piece: round(score, 6) for piece, score in json.loads(pieces.to_str())["model"]["vocab"]}
        learned.pop(UNKNOWN)
        ordered = sorted(learned.items(), key=lambda item: (-item[1], item[0]))
        return self._empty(models.Unigram([(UNKNOWN, 0.0), *ordered], unk_id=0), _spaced())

    def join(self, words: Sequence[str]) -> str:
        return _join_spaced(words)
