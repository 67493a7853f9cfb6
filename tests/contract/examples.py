"""Samples for the contract tests: a small training set, nasty texts, and the options that each stage is tried with."""

from __future__ import annotations

import atexit
import copy
import json
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file

from nlpipe import decoders
from nlpipe.files import write_arrays
from nlpipe.registry import FOLDERS, slot
from nlpipe.representations import Characters, Distilled, Static, TfIdf, Window
from nlpipe.stage import Stage, State
from nlpipe.tokenizers import Regex, Whitespace
from nlpipe.wire import Text

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
"""Texts that are difficult for tokenizers, by what makes them so."""

FILES = Path(tempfile.mkdtemp(prefix="nlpipe-tests-"))
"""Where the files that some stages read are written when ``make`` first needs them."""
atexit.register(shutil.rmtree, FILES, ignore_errors=True)
VECTORS, ENCODER, TRANSLATOR = FILES / "vectors.txt", FILES / "bert", FILES / "t5"


def _words() -> list[str]:
    """The words of the sample, in lower case and alphabetical order."""
    return sorted({word for words in Regex().forward(Text(TEXTS)).words for word in words})


def _write_vectors() -> None:
    """Two of three words of the sample, each with 6 numbers."""
    words = [word for i, word in enumerate(_words()) if i % 3]
    rows = (" ".join([word, *(f"{math.cos(ord(word[0]) * i + len(word)):.4f}" for i in range(6))]) for word in words)
    VECTORS.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _write_encoder() -> None:
    from tests.tiny_models import write_encoder

    write_encoder("bert", ENCODER)


def _write_translator() -> None:
    from tests.tiny_models import write_translator

    write_translator("t5", TRANSLATOR, _words(), longest=10_000)


WRITERS: dict[Path, Callable[[], None]] = {
    VECTORS: _write_vectors,
    ENCODER: _write_encoder,
    TRANSLATOR: _write_translator,
}
"""File or folder to the function that writes it."""

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
    ("representation", "static"): [
        {"vectors": str(VECTORS), "max_words": 3},
        {"vectors": str(VECTORS), "trainable": True, "weights": "sif"},
    ],
    ("representation", "distilled"): [
        {"model": str(ENCODER), "dim": 8},
        {"model": str(ENCODER), "dim": 8, "trainable": True, "weights": "sif", "whole_words": None},
    ],
    ("representation", "bert"): [
        {"model": str(ENCODER), "precision": "fp32"},
        {"model": str(ENCODER), "precision": "fp32", "trainable": True, "layers": "mix", "window": 12},
    ],
    ("representation", "new_bert"): [{"pieces": 150, "depth": 2, "hidden": 8, "heads": 2, "precision": "fp32"}],
    ("representation", "join"): [
        {"parts": [Static(str(VECTORS)), Window()]},
        {"parts": [TfIdf(), Distilled(str(ENCODER), dim=8)], "norm": "l2", "weights": [1.0, 0.5]},
        {"parts": [Static(str(VECTORS), trainable=True), Characters(min_count=1)]},
    ],
    ("decoder", "transformer"): [{"heads": 2}],
    ("encoder", "rnn"): [{"hidden": 6}],
    ("encoder", "lstm"): [{"hidden": 6}, {"hidden": 4, "bidirectional": True, "layers": 2}],
    ("encoder", "gru"): [{"hidden": 6}],
    ("encoder", "transformer"): [{}, {"causal": True}],
    ("head", "seq2seq"): [
        {"decoder": decoders.GRU(hidden=6), "tokenizer": Whitespace(), "max_length": 5},
        {"decoder": decoders.Transformer(heads=2), "tokenizer": Whitespace(), "beam": 2, "max_length": 5},
    ],
    ("head", "language_model"): [],  # those that predict what stands before them: test_language_models.py
    ("head", "masked_language_model"): [],
    ("head", "interpolated"): [],
    ("head", "ctranslate2"): [],  # made of a run, not fitted: tests/unit/integrations/test_ctranslate2.py
    ("head", "lexical"): [{"tokenizer": Regex(lowercase=False)}],
    ("head", "pretrained_seq2seq"): [{"model": str(TRANSLATOR), "max_length": 3, "beam": 2, "batch": 4}],
    ("head", "estimator"): [{"estimator": "RidgeClassifier"}, {"estimator": "ComplementNB"}],
}
"""The options that each stage is tried with, by slot and name; a stage that is not here is tried with its defaults."""


def make(case: tuple[str, str, dict[str, Any]]) -> Any:
    """A new stage of this case, with nested stages of its own and the files that it reads."""
    stage = slot(case[0]).load(case[1])(**copy.deepcopy(case[2]))
    options = [value for inner in stage.with_nested() for value in inner.options.values()]
    for path, write in WRITERS.items():
        if str(path) in options and not path.exists():
            write()
    return stage


def restore(
    stage: Stage[Any, Any],
    case: tuple[str, str, dict[str, Any]],
    make_again: Callable[[tuple[str, str, dict[str, Any]]], Any] = make,
) -> Any:
    """A new stage of this case with the state of ``stage``, and of its nested stages, read from files."""
    again = make_again(case)
    pairs = [*((nested, again.nested()[name]) for name, nested in stage.nested().items()), (stage, again)]
    for original, copied in pairs:
        state = original.state()
        with tempfile.TemporaryDirectory() as folder:
            write_arrays(Path(folder) / "state.safetensors", state.arrays)
            (Path(folder) / "state.json").write_text(json.dumps(state.data), encoding="utf-8")
            arrays = load_file(Path(folder) / "state.safetensors")
            data = json.loads((Path(folder) / "state.json").read_text(encoding="utf-8"))
        copied.load_state(State(arrays, data), original.version)
    return again


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
        return f"{case[1]}({', '.join(f'{key}={_shown(value)}' for key, value in case[2].items())})"
    return "-".join(case) if isinstance(case, tuple) else str(case)


def _shown(value: Any) -> str:
    """An option's value in the name of a test, which must not change from run to run."""
    if isinstance(value, list):
        return "+".join(_shown(item) for item in value)
    if isinstance(value, Stage):
        return type(value).__name__
    return Path(value).name if isinstance(value, str) and value.startswith(str(FILES)) else str(value)
