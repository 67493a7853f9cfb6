"""A part of a book with a closed vocabulary, for n-gram models."""

from __future__ import annotations

from pathlib import Path

from nlpipe.vocabulary import END, START, Vocabulary


def closed_vocabulary(folder: Path, train: int, test: int) -> tuple[Vocabulary, list[list[int]], list[list[int]]]:
    """The first lines of ``train.txt`` and ``test.txt`` as ids of the words that the first have twice or more."""
    splits = []
    for name, lines in (("train", train), ("test", test)):
        text = (folder / f"{name}.txt").read_text(encoding="utf-8")
        splits.append([line.split() for line in text.splitlines()[:lines]])
    vocabulary = Vocabulary.count(splits[0], min_count=2, specials=(START, END))
    return vocabulary, *([vocabulary.ids(line).tolist() for line in split] for split in splits)  # type: ignore[return-value]
