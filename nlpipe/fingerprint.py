"""Hashes of code: what other code gave is never taken for what this code gives.

``source_hash`` is that of nlpipe itself. ``fingerprint`` is that of one class or function, a user's own included: a
run's folder and the cached features are named by the fingerprints of the stages used.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import sys
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from types import CodeType
from typing import Any

ROOMS = (
    "tokenizers", "representations", "encoders", "decoders", "heads", "classical", "nn", "search", "training",
    "metrics", "tasks", "pipeline",
)  # fmt: skip
"""Folders of nlpipe whose code decides what a pipeline gives."""

ALONE = (
    "stage", "wire", "vocabulary", "tag_schemes", "tag_decoding", "long_texts", "writing_systems", "unicode_classes",
    "capabilities", "labels", "predictions",
)  # fmt: skip
"""Files that do so, beside the folders."""


@functools.cache
def source_hash() -> str:
    """Hash of nlpipe's own code, as far as it decides what a pipeline gives."""
    root = Path(__file__).parent
    files = [path for name in ROOMS for path in sorted((root / name).rglob("*.py"))]
    files += [root / f"{name}.py" for name in ALONE]
    total = hashlib.sha256()
    for path in files:
        total.update(path.read_bytes())
    return total.hexdigest()


def fingerprint(thing: type | Callable[..., Any]) -> str:
    """Sixteen hexadecimal digits of the code of a class or function, and of the version of its distribution.

    The code is the source of the module it is defined in, and of those of the classes it derives from, nlpipe's and
    Python's own aside. Where a module has no file (a notebook, standard input), it is the definition alone. It is
    taken when first asked for, which for registered code is when it is registered: what is in memory counts, not what
    the file became later.
    """
    return _fingerprint(thing)


@functools.cache
def _fingerprint(thing: Any) -> str:
    total = hashlib.sha256(thing.__qualname__.encode())
    for owner in thing.__mro__ if isinstance(thing, type) else (thing,):
        if owner is thing or not _is_apart(owner.__module__):
            total.update(_source_of(owner))
    total.update((_version(thing.__module__) or "").encode())
    return total.hexdigest()[:16]


def is_own(thing: type | Callable[..., Any]) -> bool:
    """Whether a class or function is nlpipe's own."""
    return thing.__module__.partition(".")[0] == "nlpipe"


def _is_apart(module: str) -> bool:
    top = module.partition(".")[0]
    return top == "nlpipe" or (top in sys.stdlib_module_names and top != "__main__")


def _source_of(thing: type | Callable[..., Any]) -> bytes:
    """The module's file; else the text of the definition; else what it was compiled to."""
    path = getattr(sys.modules.get(thing.__module__), "__file__", None)
    if path is not None:
        try:
            return Path(path).read_bytes()
        except OSError:
            pass  # in a zip file, or removed since
    try:
        return inspect.getsource(thing).encode()
    except (OSError, TypeError):
        return "\n".join(_compiled(thing)).encode()


def _compiled(thing: Any) -> Iterator[str]:
    """What decides how code behaves, in an order that is the same in every process."""
    if isinstance(thing, type):
        for name, value in sorted(vars(thing).items()):
            if not (name.startswith("__") and isinstance(value, str | tuple | type(None))):
                yield name
                yield from _compiled(value)
    elif isinstance(thing, CodeType):
        yield f"{thing.co_code.hex()} {thing.co_names} {thing.co_varnames}"
        for constant in thing.co_consts:
            yield from _compiled(constant)
    elif isinstance(thing, set | frozenset):
        yield repr(sorted(map(repr, thing)))
    elif isinstance(thing, str | bytes | int | float | complex | bool | tuple | list | dict | None):
        yield repr(thing)
    elif isinstance(thing, property):
        yield from _compiled(thing.fget)
    elif isinstance(thing, staticmethod | classmethod):
        yield from _compiled(thing.__func__)
    elif callable(thing) and hasattr(inspect.unwrap(thing), "__code__"):
        inner: Any = inspect.unwrap(thing)
        yield from _compiled(inner.__code__)
        yield repr(inner.__defaults__)


@functools.cache
def _version(module: str) -> str | None:
    """The version of the distribution that ``module`` came with; None where it was not installed."""
    top = module.partition(".")[0]
    try:
        return metadata.version(top)
    except metadata.PackageNotFoundError:
        path = getattr(sys.modules.get(top), "__file__", None)
        if path is None or not {"site-packages", "dist-packages"} & set(Path(path).parts):
            return None
        names = metadata.packages_distributions().get(top, [])
        return " ".join(f"{name} {metadata.version(name)}" for name in sorted(names)) or None


@functools.cache
def version_of(package: str) -> str | None:
    """The installed version of a distribution; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
