"""Environments of their own for peers whose pins clash with ours; what is the same on both sides they share."""

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
"""Of every translator that is timed; 1 where another process has one of two cores. There two threads wait for each
other at every small product: CTranslate2 was seen to fall from 107 sentences a second, with one thread, to under 2."""

TRANSLATION = (
    "joeynmt==2.3.0", "ctranslate2==4.8.5",
    # what JoeyNMT imports, without its pins, of which protobuf < 3.21 fits nothing of today
    "sentencepiece", "subword-nmt", "sacremoses", "portalocker", "tensorboard", "tensorboard-data-server", "werkzeug",
    "markupsafe", "absl-py", "grpcio", "protobuf", "markdown", "pillow", "matplotlib", "contourpy", "cycler",
    "fonttools", "kiwisolver", "pyparsing", "python-dateutil", "six", "datasets",
)  # fmt: skip


FLAIR = ("flair==0.15.1", "transformers<5", "gensim", f"torch=={version('torch').partition('+')[0]}")


def translation() -> Path:
    """The interpreter of an environment with JoeyNMT and CTranslate2, made on first use; torch is this one's."""
    return _made("translation", ["--no-deps", *TRANSLATION], shared=True)


def flair() -> Path:
    """The interpreter of an environment with Flair and what it needs, made on first use."""
    return _made("flair", FLAIR)


def _made(name: str, wanted: Sequence[str], shared: bool = False) -> Path:
    folder = CACHE / name
    interpreter, done = folder / "bin" / "python", folder / "complete"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        if shared:
            packages = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
            (packages / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n", encoding="utf-8")
        subprocess.run([str(interpreter), "-m", "pip", "install", "-q", *wanted], check=True)
        done.touch()
    return interpreter
