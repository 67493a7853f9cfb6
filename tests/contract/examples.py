"""Samples for the contract tests: a small training set, nasty texts, and options for stages that need some."""

from __future__ import annotations

import copy
from typing import Any

from nlpipe import decoders
from nlpipe.registry import FOLDERS, slot
from nlpipe.stage import Stage
from nlpipe.tokenizers import Regex, Whitespace

TEXTS = [
    "A warm, funny film with a great cast.",
    "I loved every minute of it!",
    "The story is moving and the acting superb.",
    "What a delightful surprise: clever, quick and kind.",
    "One of the best films of the year.",
    "Beautiful pictures and a wonderful score.",
    "It's a joy from start to finish.",
    "Charming, witty and never too long.",
    "I don't remember when I last laughed so much.",
    "A great story, told with love.",
    "A dull, lifeless film with a weak cast.",
    "I hated every minute of it!",
    "The story is silly and the acting awful.",
    "What a boring mess: slow, loud and empty.",
    "One of the worst films of the year.",
    "Ugly pictures and a terrible score.",
    "It's a chore from start to finish.",
    "Tedious, flat and much too long.",
    "I don't remember when I last was so bored.",
    "A bad story, told without care.",
]
LABELS = ["pos"] * 10 + ["neg"] * 10

NASTY = {
    "empty": "",
    "one word": "film",
    "one letter": "a",
    "10,000 words": "a great story " * 3333 + "end",
    "emoji": "👨‍👩‍👧‍👦 🇩🇪🇫🇷 👍🏽 ❤️ 😀😀",
    "combining marks": "nai\u0308ve e\u0301t\u00e9 Z\u0351a\u0361l\u0302go \u0301 starts with a mark",
    "line separators": "one\u2028two\u2029three\x85four\r\nfive\vsix\x1cseven",
    "right to left": "\u202eהסרט הזה היה נפלא\u202c والفيلم كانَ جميلاً",
    "only spaces": " \t\n\u00a0\u3000 ",
    "spaces around": "  two   words  ",
    "NUL": "nul\0in\0side \0",
    "Chinese": "我喜欢这部电影,演员很好。",
    "Japanese": "この映画はすごく面白かったです。",
    "Thai": "ภาพยนตร์เรื่องนี้ดีมาก",
    "Hindi": "यह फ़िल्म बहुत अच्छी है।",
    "lower case changes length": "İSTANBUL ΟΔΥΣΣΕΥΣ ΑΣ'Α ẞ ǅ ﬁ",
    "lone surrogate's neighbour": "\ud7ff\ue000\ufffd\U0010ffff",
    "marks of pieces": "▁a ##b Ġc [UNK] <pad> ▁",
    "compatibility forms": "㎏ ½ ﬃ ¨ … ℌ Ａ",
    "1 MB": "word, " * 166_667,
}
"""Texts that break tokenizers, by what is nasty about them."""

OPTIONS: dict[tuple[str, str], list[dict[str, Any]]] = {
    ("tokenizer", "regex"): [{}, {"lowercase": False}, {"form": "NFKC"}, {"pattern": r"\b(\w)\w*"}],
    ("tokenizer", "whitespace"): [{}, {"lowercase": False, "form": "NFC"}],
    ("tokenizer", "characters"): [{}, {"spaces": False, "lowercase": True}, {"form": "NFKC"}],
    ("tokenizer", "spacy"): [{}, {"language": "xx", "lowercase": False}],
    ("tokenizer", "bpe"): [{"vocabulary_size": 200}, {"vocabulary_size": 300, "byte_level": True, "lowercase": True}],
    ("tokenizer", "wordpiece"): [{"vocabulary_size": 200, "lowercase": True}],
    ("tokenizer", "unigram"): [{"vocabulary_size": 100}],
    ("representation", "embedding"): [{"dim": 8, "min_count": 1}],
    ("representation", "word2vec"): [{"dim": 8, "epochs": 1, "min_count": 1}],
    ("encoder", "rnn"): [{"hidden": 6}],
    ("encoder", "lstm"): [{"hidden": 6}, {"hidden": 4, "bidirectional": True, "layers": 2}],
    ("encoder", "gru"): [{"hidden": 6}],
    ("encoder", "transformer"): [{}, {"causal": True}],
    ("head", "seq2seq"): [
        {"decoder": decoders.GRU(hidden=6), "tokenizer": Whitespace(), "max_length": 5},
        {"decoder": decoders.Transformer(heads=2), "tokenizer": Whitespace(), "beam": 2, "max_length": 5},
    ],
    ("head", "lexical"): [{"tokenizer": Regex(lowercase=False)}],
    ("head", "pretrained_seq2seq"): [{"model": "none"}],
    ("head", "estimator"): [{"estimator": "RidgeClassifier"}, {"estimator": "ComplementNB"}],
}
"""Options each stage is tried with, by slot and name; a stage that is not here is tried with its defaults."""

SKIP: dict[tuple[str, str], str] = {
    ("representation", "bert"): "needs weights; tests/unit/representations stands in",
    ("representation", "static"): "needs a file of vectors; tests/unit/representations stands in",
    ("head", "pretrained_seq2seq"): "needs weights; tests/unit/heads stands in",
    ("representation", "join"): "needs other stages; tests/unit/representations stands in",
}
"""Stages that the generic laws of ``test_stages.py`` cannot try, with the reason and the test that stands in."""


def make(case: tuple[str, str, dict[str, Any]]) -> Any:
    """A new stage of this case, with nested stages of its own."""
    return slot(case[0]).load(case[1])(**copy.deepcopy(case[2]))


def registered() -> list[tuple[str, str]]:
    """Every built-in stage, as (slot, name)."""
    return [(kind, name) for kind in FOLDERS for name in sorted(slot(kind).table)]


def cases(*slots: str) -> list[tuple[str, str, dict[str, Any]]]:
    """(slot, name, options) for every stage of ``slots`` and every set of options it is tried with."""
    return [
        (kind, name, options)
        for kind, name in registered()
        if kind in slots
        for options in OPTIONS.get((kind, name), [{}])
    ]


def label(case: Any) -> str:
    """A case as pytest shows it: ``bpe(vocabulary_size=200)``."""
    if isinstance(case, tuple) and len(case) == 3:
        shown = {key: type(value).__name__ if isinstance(value, Stage) else value for key, value in case[2].items()}
        return f"{case[1]}({', '.join(f'{key}={value}' for key, value in shown.items())})"
    return "-".join(case) if isinstance(case, tuple) else str(case)
