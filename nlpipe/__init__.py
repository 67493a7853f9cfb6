"""nlpipe: classical-to-neural NLP pipelines, declared in YAML and compared fairly.

    pipeline = nlpipe.load("pipelines/sentiment/tfidf_logreg.yaml")
    result = nlpipe.run("pipelines/sentiment/tfidf_logreg.yaml")
    comparison = nlpipe.compare("pipelines/sentiment/compare.yaml")

Everything is imported when it is first asked for, so that ``import nlpipe`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nlpipe import decoders as decoders
    from nlpipe import encoders as encoders
    from nlpipe import heads as heads
    from nlpipe import representations as representations
    from nlpipe import search as search
    from nlpipe import tokenizers as tokenizers
    from nlpipe.api import compare as compare
    from nlpipe.api import load as load
    from nlpipe.api import run as run
    from nlpipe.datasets import load_dataset as load_dataset
    from nlpipe.errors import NlpipeError as NlpipeError
    from nlpipe.pipeline import Pipeline as Pipeline
    from nlpipe.registry import register as register
    from nlpipe.wire import Labels as Labels
    from nlpipe.wire import LabelSets as LabelSets
    from nlpipe.wire import Sequences as Sequences
    from nlpipe.wire import Tags as Tags
    from nlpipe.wire import Text as Text
    from nlpipe.wire import Tokens as Tokens
    from nlpipe.wire import Vectors as Vectors

    __version__: str

_HOME = {
    "load": "api", "run": "api", "compare": "api", "load_dataset": "datasets", "Pipeline": "pipeline",
    "register": "registry", "NlpipeError": "errors", "Text": "wire", "Tokens": "wire", "Vectors": "wire",
    "Sequences": "wire", "Labels": "wire", "LabelSets": "wire", "Tags": "wire",
}  # fmt: skip
"""Name to the module that has it."""

_PACKAGES = ("decoders", "encoders", "heads", "representations", "search", "tokenizers")
"""Packages that ``import nlpipe`` alone makes reachable: ``nlpipe.encoders.LSTM``."""

__all__ = [
    "LabelSets", "Labels", "NlpipeError", "Pipeline", "Sequences", "Tags", "Text", "Tokens", "Vectors", "__version__",
    "compare", "decoders", "encoders", "heads", "load", "load_dataset", "register", "representations", "run", "search",
    "tokenizers",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"nlpipe.{_HOME[name]}"), name)
    if name in _PACKAGES:
        return importlib.import_module(f"nlpipe.{name}")
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            return version("nlpipe")
        except PackageNotFoundError:  # a checkout that is not installed
            return "unknown"
    from nlpipe.errors import suggest

    near = suggest(name, __all__)
    raise AttributeError(f"module 'nlpipe' has no attribute '{name}'{near if near.startswith('; did') else ''}")


def __dir__() -> list[str]:
    return __all__
