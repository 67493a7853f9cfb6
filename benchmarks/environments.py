"""Virtual environments for software whose requirements conflict with nlpipe's. Common packages are shared."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

CACHE = Path(os.environ.get("NLPIPE_PEERS", "~/.cache/nlpipe-peers")).expanduser()

THREADS = int(os.environ.get("NLPIPE_BENCH_THREADS", "2"))
"""CPU threads of each translator. Set it to 1 if another process uses one of two cores: there two threads wait for each
other at each small matrix product, and CTranslate2 fell from 107 sentences per second with one thread to under 2."""

TRANSLATION = (
    "joeynmt==2.3.0", "ctranslate2==4.8.5",
    # what JoeyNMT imports, without its version limits, of which protobuf < 3.21 conflicts with all other packages
    "sentencepiece", "subword-nmt", "sacremoses", "portalocker", "tensorboard", "tensorboard-data-server", "werkzeug",
    "markupsafe", "absl-py", "grpcio", "protobuf", "markdown", "pillow", "matplotlib", "contourpy", "cycler",
    "fonttools", "kiwisolver", "pyparsing", "python-dateutil", "six", "datasets",
)  # fmt: skip


FLAIR = ("flair==0.15.1", "transformers<5", "gensim", f"torch=={version('torch').partition('+')[0]}")
ONNX = ("onnxruntime==1.27.0", "onnx", "protobuf", "flatbuffers", "ml_dtypes")
LITSERVE = "litserve==0.2.19", "fastapi==0.124.4", "starlette==0.50.0", "pyzmq", "python-multipart", "annotated-doc"
FASTTEXT = ("fasttext-numpy2==0.10.4", "pybind11", "setuptools", "numpy")
NGRAMS = ("nltk==3.10.4", "kenlm==0.3.0", "numpy")


def translation() -> Path:
    """The interpreter of an environment with JoeyNMT and CTranslate2, created on first use; it shares this torch."""
    return _create("translation", ["--no-deps", *TRANSLATION], shared=True)


def flair() -> Path:
    """The interpreter of an environment with Flair, created on first use."""
    return _create("flair", FLAIR)


def onnx() -> Path:
    """The interpreter of an environment with ONNX Runtime, created on first use; it shares torch and transformers."""
    return _create("onnx", ["--no-deps", *ONNX], shared=True)


def fasttext() -> Path:
    """The interpreter of an environment with fastText, created on first use."""
    return _create("fasttext", ["--no-deps", *FASTTEXT])


def ngrams() -> Path:
    """The interpreter of an environment with nltk and KenLM, created on first use; KenLM needs a C++ compiler."""
    return _create("ngrams", NGRAMS)


def litserve() -> Path:
    """The interpreter of an environment with LitServe, created on first use; it shares everything else."""
    return _create("litserve", ["--no-deps", *LITSERVE], shared=True)


def _create(name: str, arguments: Sequence[str], shared: bool = False) -> Path:
    """The interpreter of the environment ``name``; ``arguments`` are for pip."""
    folder = CACHE / name
    interpreter, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        if shared:
            packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
            (packages / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", *arguments], check=True)
        done.touch()
    return interpreter
