"""What travels between stages: seven types, and nothing else.

Shapes are written in one alphabet everywhere in nlpipe:

    B  batch (examples)      T  time (tokens)      D  features
    V  vocabulary            K  beam               C  classes

They are in one file, however long, because each stage is read with two of them at hand, and no other may be added.

A wire is a value: stages read it and give a new one. ``len()`` is B for each of them; ``take`` selects
examples and ``concat`` joins batches. No wire imports torch unless a tensor is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self, TypeAlias, TypeGuard

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    import torch

Matrix: TypeAlias = "sp.csr_matrix | np.ndarray | torch.Tensor"
"""(N, D) as a SciPy CSR matrix, a numpy array or a torch tensor."""


def is_sparse(rows: Matrix) -> TypeGuard[sp.csr_matrix]:
    """Whether ``rows`` are a SciPy sparse matrix."""
    return bool(sp.issparse(rows))


Span = tuple[int, int]
"""(start, end) of a word in its text, in characters, end excluded."""


class Wire:
    """The root of the seven: B examples that can be counted, selected and joined."""

    characters: ClassVar[int] = 0
    """Characters that one unit of ``lengths`` stands for, roughly; 0 where an example has no length."""

    @property
    def lengths(self) -> np.ndarray:
        """(B,) how long each example is, in the unit that padding costs: characters, tokens, or one for a vector."""
        return np.zeros(len(self), dtype=np.int64)

    def __len__(self) -> int:
        raise AssertionError(f"{type(self).__name__} does not say its length")

    def __repr__(self) -> str:
        """The class and its size: ``Text(3 texts)``."""
        return f"{type(self).__name__}({_count(len(self), 'text')})"

    def take(self, indices: Sequence[int]) -> Self:
        """The examples at ``indices``, in that order."""
        raise AssertionError(f"{type(self).__name__} cannot be indexed")

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        """All examples of ``parts`` (at least one), in order."""
        raise AssertionError(f"{cls.__name__} cannot be joined")


class Text(Wire):
    """B strings, as the data has them."""

    characters = 1

    def __init__(self, strings: Sequence[str]) -> None:
        self.strings = list(strings)

    @property
    def lengths(self) -> np.ndarray:
        """(B,) characters in each text."""
        return np.array([len(text) for text in self.strings], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.strings)

    def take(self, indices: Sequence[int]) -> Text:
        return Text([self.strings[i] for i in indices])

    @classmethod
    def concat(cls, parts: Sequence[Text]) -> Text:
        return cls([string for part in parts for string in part.strings])


Locate = Callable[[str, list[str]], list[Span]]
"""Finds each word of a text again: (text, words) to one span a word."""


def locate_in_order(text: str, words: list[str]) -> list[Span]:
    """Spans of ``words`` that stand in ``text`` unchanged and in this order.

    Raises:
        ValueError: a word is not found after the one before it.
    """
    spans, start = [], 0
    for word in words:
        start = text.index(word, start)
        spans.append((start, start + len(word)))
        start += len(word)
    return spans


def locate_between_spaces(text: str, words: list[str]) -> list[Span]:
    """Spans of what stands between single spaces of ``text``: for data that comes split, whatever ``words`` became.

    Raises:
        ValueError: ``text`` does not have as many parts as there are words.
    """
    spans, start = [], 0
    for part in text.split(" ") if words else []:
        spans.append((start, start + len(part)))
        start += len(part) + 1
    if len(spans) != len(words):
        raise ValueError(f"{len(words)} words for a text of {len(spans)} parts")
    return spans


class Tokens(Wire):
    """The words of B texts, with the texts they came from.

    Args:
        words: B lists of words, as the tokenizer normalised them.
        texts: B strings.
        locate: finds the words of one text again; called only where spans are asked for.
    """

    characters = 6

    def __init__(self, words: Sequence[list[str]], texts: Sequence[str], locate: Locate = locate_in_order) -> None:
        if len(words) != len(texts):
            raise AssertionError(f"{len(words)} lists of words for {len(texts)} texts")
        self.words = list(words)
        self.texts = list(texts)
        self.locate = locate

    @classmethod
    def from_words(cls, words: Sequence[list[str]]) -> Tokens:
        """Words of data that comes split already: the text is the words joined by spaces.

        A space within a word becomes a no-break space in the text, so that the splitting can be found again after a
        tokenizer has normalised the words.
        """
        texts = [" ".join(word.replace(" ", "\u00a0") for word in sentence) for sentence in words]
        return cls(words, texts, locate_between_spaces)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def lengths(self) -> np.ndarray:
        """(B,) words in each text."""
        return np.array([len(words) for words in self.words], dtype=np.int64)

    def __repr__(self) -> str:
        """``Tokens(3 texts, 17 words)``."""
        return f"{type(self).__name__}({_count(len(self), 'text')}, {_count(sum(map(len, self.words)), 'word')})"

    def spans(self, b: int) -> list[Span]:
        """Where each word of example ``b`` stands in ``texts[b]``."""
        return self.locate(self.texts[b], self.words[b])

    def take(self, indices: Sequence[int]) -> Tokens:
        return Tokens([self.words[i] for i in indices], [self.texts[i] for i in indices], self.locate)

    @classmethod
    def concat(cls, parts: Sequence[Self]) -> Self:
        words = [sentence for part in parts for sentence in part.words]
        return cls(words, [text for part in parts for text in part.texts], parts[0].locate)


class Vectors(Wire):
    """One vector per example, (B, D): a SciPy CSR matrix, a numpy array or a torch tensor; ask for the form needed."""

    def __init__(self, rows: Matrix) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    @property
    def lengths(self) -> np.ndarray:
        """(B,) ones."""
        return np.ones(len(self), dtype=np.int64)

    @property
    def width(self) -> int:
        """D."""
        return int(self.rows.shape[1])

    def __repr__(self) -> str:
        """``Vectors(3 x 128, sparse)``."""
        form = "sparse" if is_sparse(self.rows) else type(self.rows).__name__
        return f"Vectors({len(self)} x {self.width}, {form})"

    def sparse(self) -> sp.csr_matrix:
        """(B, D) as CSR."""
        return self.rows if is_sparse(self.rows) else sp.csr_matrix(self.dense())

    def dense(self) -> np.ndarray:
        """(B, D) as a numpy array; a tensor comes to the CPU as float32, without its gradient."""
        if is_sparse(self.rows):
            return np.asarray(self.rows.toarray())
        if isinstance(self.rows, np.ndarray):
            return np.asarray(self.rows)
        return np.asarray(self.rows.detach().float().cpu().numpy())

    def matrix(self) -> sp.csr_matrix | np.ndarray:
        """(B, D) as scikit-learn takes it: sparse where it is sparse, else dense."""
        return self.rows if is_sparse(self.rows) else self.dense()

    def tensor(self, device: str | torch.device | None = None) -> torch.Tensor:
        """(B, D) as a float tensor on ``device``."""
        return as_tensor(self.rows, device)

    def take(self, indices: Sequence[int]) -> Vectors:
        return Vectors(self.rows[np.asarray(indices, dtype=np.int64)])

    @classmethod
    def concat(cls, parts: Sequence[Vectors]) -> Vectors:
        rows = [part.rows for part in parts]
        if len(rows) == 1:
            return parts[0]
        if sp.issparse(rows[0]):
            return cls(sp.vstack(rows, format="csr"))
        if isinstance(rows[0], np.ndarray):
            return cls(np.concatenate(rows))
        import torch

        return cls(torch.cat([part.tensor() for part in parts]))


@dataclass(frozen=True)
class Ragged:
    """The vectors of all tokens after one another.

    Args:
        rows: (sum of T_b, D).
    """

    rows: Matrix


@dataclass(frozen=True)
class Padded:
    """The vectors of each text's tokens, filled up with padding at the end.

    Args:
        rows: (B, T, D).
        mask: (B, T), true where a token is.
    """

    rows: torch.Tensor
    mask: torch.Tensor


class Sequences(Wire):
    """One vector per token: ragged (sum of T_b, D) with the lengths, or a padded tensor (B, T, D) with its mask.

    Args:
        rows: (sum of T_b, D) as CSR, numpy or torch where ``mask`` is None; else a tensor (B, T, D).
        lengths: (B,) tokens in each example.
        tokens: the words the vectors stand for.
        mask: (B, T), true where a token is; padding stands at the end.
    """

    characters = 6

    def __init__(
        self,
        rows: Matrix,
        lengths: Sequence[int] | np.ndarray,
        tokens: Tokens | None = None,
        mask: torch.Tensor | None = None,
    ) -> None:
        self.form: Ragged | Padded = Ragged(rows) if mask is None else Padded(as_tensor(rows, None), mask)
        self._lengths = np.asarray(lengths, dtype=np.int64)
        self.tokens = tokens

    @property
    def lengths(self) -> np.ndarray:
        """(B,) tokens in each example."""
        return self._lengths

    @property
    def rows(self) -> Matrix:
        """The rows as they are kept, ragged or padded; ``ragged`` and ``padded`` give the form asked for."""
        return self.form.rows

    @property
    def mask(self) -> torch.Tensor | None:
        """(B, T) where they are kept padded, else None."""
        return self.form.mask if isinstance(self.form, Padded) else None

    def __len__(self) -> int:
        return len(self._lengths)

    @property
    def width(self) -> int:
        """D."""
        return int(self.form.rows.shape[-1])

    def __repr__(self) -> str:
        """``Sequences(3 texts, 17 tokens x 128, padded)``."""
        tokens = _count(int(self.lengths.sum()), "token")
        return f"Sequences({_count(len(self), 'text')}, {tokens} x {self.width}, {type(self.form).__name__.lower()})"

    def padded(self, device: str | torch.device | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """A tensor (B, T, D), zero where there is no token, and its mask (B, T)."""
        import torch

        form = self.form
        if isinstance(form, Padded):
            return (form.rows, form.mask) if device is None else (form.rows.to(device), form.mask.to(device))
        flat = as_tensor(form.rows, device)  # (sum of T_b, D)
        longest = int(self.lengths.max(initial=0))
        if len(flat) == len(self) * longest:  # no text is shorter: nothing is moved
            mask = torch.ones(len(self), longest, dtype=torch.bool, device=flat.device)  # (B, T)
            return flat.view(len(self), longest, flat.shape[-1]), mask  # (B, T, D)
        lengths = torch.as_tensor(self.lengths, device=flat.device)
        mask = torch.arange(longest, device=flat.device) < lengths[:, None]  # (B, T)
        rows = flat.new_zeros(len(self), longest, flat.shape[-1])
        rows[mask] = flat  # (B, T, D)
        return rows, mask

    def ragged(self) -> tuple[Matrix, np.ndarray]:
        """Rows (sum of T_b, D) in the form they are kept, and lengths (B,)."""
        form = self.form
        return (form.rows[form.mask] if isinstance(form, Padded) else form.rows), self.lengths

    def flat(self) -> Vectors:
        """Every token as an example of its own: (sum of T_b, D)."""
        return Vectors(self.ragged()[0])

    def take(self, indices: Sequence[int]) -> Sequences:
        chosen = np.asarray(indices, dtype=np.int64)
        lengths = self.lengths[chosen]
        tokens = self.tokens.take(indices) if self.tokens is not None else None
        form = self.form
        if isinstance(form, Padded):
            longest = int(lengths.max(initial=0))
            return Sequences(form.rows[chosen, :longest], lengths, tokens, form.mask[chosen, :longest])
        starts = np.concatenate([[0], np.cumsum(self.lengths)])[chosen]
        places = np.concatenate([np.arange(s, s + n) for s, n in zip(starts, lengths, strict=True)] or [chosen])
        return Sequences(form.rows[places.astype(np.int64)], lengths, tokens)

    @classmethod
    def concat(cls, parts: Sequence[Sequences]) -> Sequences:
        flat = Vectors.concat([part.flat() for part in parts])
        with_tokens = [part.tokens for part in parts if part.tokens is not None]
        tokens = Tokens.concat(with_tokens) if len(with_tokens) == len(parts) else None
        return cls(flat.rows, np.concatenate([part.lengths for part in parts]), tokens)


class Labels(Wire):
    """One label per example, as the data spells it."""

    def __init__(self, values: Sequence[str]) -> None:
        self.values = list(values)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """``Labels(3 labels)``."""
        return f"Labels({_count(len(self), 'label')})"

    def take(self, indices: Sequence[int]) -> Labels:
        return Labels([self.values[i] for i in indices])

    @classmethod
    def concat(cls, parts: Sequence[Labels]) -> Labels:
        return cls([value for part in parts for value in part.values])


class LabelSets(Wire):
    """Any number of labels per example, none included: B sorted lists without repetitions."""

    def __init__(self, values: Sequence[Sequence[str]]) -> None:
        self.values = [sorted(set(labels)) for labels in values]

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """``LabelSets(3 texts, 5 labels)``."""
        return f"LabelSets({_count(len(self), 'text')}, {_count(sum(map(len, self.values)), 'label')})"

    def matrix(self, labels: Sequence[str]) -> np.ndarray:
        """(B, C) whether each example has each of C ``labels``; others do not count."""
        codes = {label: code for code, label in enumerate(labels)}
        has = np.zeros((len(self), len(labels)), dtype=bool)
        for row, own in zip(has, self.values, strict=True):
            row[[codes[label] for label in own if label in codes]] = True
        return has

    def take(self, indices: Sequence[int]) -> LabelSets:
        return LabelSets([self.values[i] for i in indices])

    @classmethod
    def concat(cls, parts: Sequence[LabelSets]) -> LabelSets:
        return cls([labels for part in parts for labels in part.values])


Entity = tuple[int, int, str]
"""First character (or word), the one after the last, and the type."""


class Tags(Wire):
    """One tag per token: B lists, as long as the words.

    Args:
        values: B lists of tags.
        tokens: the words they stand for, where known.
        entities: B lists of entities in characters of the texts, which need not be those of ``values``: of gold tags
            also those that no words express, of predicted ones those found when the pipeline splits the texts itself.
    """

    def __init__(
        self,
        values: Sequence[list[str]],
        tokens: Tokens | None = None,
        entities: Sequence[list[Entity]] | None = None,
    ) -> None:
        self.values = list(values)
        self.tokens = tokens
        self.entities = None if entities is None else list(entities)

    @property
    def lengths(self) -> np.ndarray:
        """(B,) tags of each text."""
        return np.array([len(tags) for tags in self.values], dtype=np.int64)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        """``Tags(3 texts, 17 tags)``."""
        return f"Tags({_count(len(self), 'text')}, {_count(sum(map(len, self.values)), 'tag')})"

    def take(self, indices: Sequence[int]) -> Tags:
        tokens = self.tokens.take(indices) if self.tokens is not None else None
        entities = [self.entities[i] for i in indices] if self.entities is not None else None
        return Tags([self.values[i] for i in indices], tokens, entities)

    @classmethod
    def concat(cls, parts: Sequence[Tags]) -> Tags:
        with_tokens = [part.tokens for part in parts if part.tokens is not None]
        tokens = Tokens.concat(with_tokens) if with_tokens and len(with_tokens) == len(parts) else None
        with_entities = [part.entities for part in parts if part.entities is not None]
        known = with_entities and len(with_entities) == len(parts)
        entities = [each for part in with_entities for each in part] if known else None
        return cls([value for part in parts for value in part.values], tokens, entities)


def _count(number: int, noun: str) -> str:
    """``1 text``, ``3 texts``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def as_tensor(rows: Matrix, device: str | torch.device | None) -> torch.Tensor:
    """Rows (N, D) of any form as a dense tensor; numbers that are not float become float32."""
    import torch

    if is_sparse(rows):
        rows = rows.toarray()
    tensor = torch.as_tensor(rows, device=device)
    return tensor if tensor.is_floating_point() else tensor.float()
