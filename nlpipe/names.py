"""Tables of names: what pipeline files may name, loaded when it is asked for.

A name comes from a table in nlpipe (``name -> "module:attribute"``), from an entry point of an installed package, or
from ``@nlpipe.register`` in a user's own code. Each thing that is registered remembers the module that did so, since
another process must import that module to know the name.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Generic, TypeVar

from nlpipe.errors import MissingExtra, NlpipeError, NlpipeWarning, suggest
from nlpipe.fingerprint import fingerprint

T = TypeVar("T")

EXTRAS: Mapping[str, str] = {
    "gensim": "word2vec",
    "pyarrow": "glove",
    "spacy": "spacy",
    "tokenizers": "subword",
    "skops": "estimator",
    "torch": "neural",
    "accelerate": "neural",
    "transformers": "bert",
    "sentencepiece": "translation",
    "datasets": "hub",
    "distributed": "distributed",
    "jinja2": "report",
    "optuna": "tune",
    "onnxruntime": "onnx",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "ctranslate2": "ctranslate2",
    "starlette": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
}
"""Optional package, as imported, to the extra that installs it."""


def missing_extra(what: str, error: ModuleNotFoundError) -> MissingExtra:
    """The error for ``what`` (``tokenizer 'spacy'``) that needs a package which is not installed."""
    module = (error.name or "").partition(".")[0]
    name = what.rpartition(" ")[2].strip("'")
    extra = EXTRAS.get(module)
    if extra is not None and name in EXTRAS.values():
        extra = name  # the extra with the stage's own name brings all that it needs
    way = f'pip install "nlpipe[{extra}]"' if extra else f"pip install {module}"
    return MissingExtra(f"{what} needs the package '{module}', which is not installed; {way}")


@dataclass(frozen=True)
class Registration(Generic[T]):
    """What ``@nlpipe.register`` was given.

    Args:
        thing: the class or function.
        module: name of the module whose code registered it; ``__main__`` for the program that was started.
        importable: whether another process can import that module, and so register it too; code typed into a notebook
            or piped into Python has no file to import.
    """

    thing: T
    module: str
    importable: bool


class Table(Generic[T]):
    """One kind of thing: the names a file may use for it, and what they stand for.

    Args:
        name: of the kind, as pipeline files and messages spell it, ``tokenizer``.
        package: the folder, ``nlpipe.tokenizers``; entry points are looked for in the group of this name.
        table: name to ``module:attribute``, modules within ``package``.
    """

    def __init__(self, name: str, package: str, table: Mapping[str, str]) -> None:
        self.name = name
        self.package = package
        self.table = {key: f"{package}.{target}" for key, target in table.items()}
        self._registered: dict[str, Registration[T]] = {}

    @functools.cached_property
    def _entry_points(self) -> dict[str, list[importlib.metadata.EntryPoint]]:
        points: dict[str, list[importlib.metadata.EntryPoint]] = {}
        for point in importlib.metadata.entry_points(group=self.package):
            if point not in points.setdefault(point.name, []):
                points[point.name].append(point)
        for name in sorted(points.keys() & self.table.keys()):
            message = f"{_packages(points[name])} offers a {self.name} called '{name}', which nlpipe has: that is used"
            warnings.warn(message, NlpipeWarning, stacklevel=2)
        return points

    def __contains__(self, name: object) -> bool:
        return name in self.table or name in self._registered or name in self._entry_points

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def names(self) -> list[str]:
        """Every name that can be used, built in or not, sorted."""
        return sorted({*self.table, *self._registered, *self._entry_points})

    def registered(self) -> dict[str, Registration[T]]:
        """Name to what ``@nlpipe.register`` made known in this process."""
        return dict(self._registered)

    def load(self, name: str) -> T:
        """What ``name`` stands for.

        Raises:
            NlpipeError: there is no such name (the message has the nearest), two packages offer it, or its package
                cannot be imported.
            MissingExtra: it needs a package that is not installed.
        """
        if name in self._registered:
            return self._registered[name].thing
        if name not in self.table and name not in self._entry_points:
            raise NlpipeError(f"there is no {self.name} '{name}'{suggest(name, self.names())}")
        try:
            if name in self.table:
                module, _, attribute = self.table[name].partition(":")
                return self.accept(name, getattr(importlib.import_module(module), attribute))
            thing = self.accept(name, self._entry_point(name).load())
        except ModuleNotFoundError as error:
            if (error.name or "nlpipe").partition(".")[0] == "nlpipe":
                raise  # our own module is missing: a bug, not an extra
            raise missing_extra(f"{self.name} '{name}'", error) from error
        except NlpipeError:
            raise
        except Exception as error:
            if name in self.table:
                raise
            points = self._entry_points[name]
            what = f"{self.name} '{name}' of {_packages(points)}: importing {points[0].value} failed"
            raise NlpipeError(f"{what}: {type(error).__name__}: {error}") from error
        _remember(thing)
        return thing

    def _entry_point(self, name: str) -> importlib.metadata.EntryPoint:
        points = self._entry_points[name]
        if len(points) > 1:
            raise NlpipeError(f"{_packages(points)} both offer a {self.name} called '{name}'; remove one of them")
        return points[0]

    def accept(self, name: str, thing: Any) -> T:
        """``thing``, if it is one of this kind; a subclass says what that means.

        Raises:
            NlpipeError: it is not.
        """
        accepted: T = thing
        return accepted

    def register(self, name: str) -> Callable[[T], T]:
        """A decorator that makes what stands below it usable as ``name``.

        A definition that is made again (a notebook's cell that is run twice) replaces the earlier one.

        Raises:
            NlpipeError: the name is taken by something else, or what is decorated is not one of this kind.
        """
        module, importable = caller()

        def add(thing: T) -> T:
            self._add(name, Registration(self.accept(name, thing), module, importable))
            return thing

        return add

    def _add(self, name: str, registration: Registration[T]) -> None:
        earlier = self._registered.get(name)
        if name in self and not (earlier is not None and self._same(earlier.thing, registration.thing)):
            owner = f" ({_place(earlier.thing)} has it)" if earlier is not None else ""
            raise NlpipeError(f"the {self.name} name '{name}' is taken; choose another{owner}")
        self._registered[name] = registration
        _remember(registration.thing)

    def _same(self, one: T, other: T) -> bool:
        """Whether both are the same definition in the same file, read twice perhaps, or the same cell run twice."""
        return one is other or (_file(one), _qualname(one)) == (_file(other), _qualname(other))


def _remember(thing: Any) -> None:
    """Take the fingerprint now, while the file is what was imported."""
    if isinstance(thing, type) or hasattr(thing, "__qualname__"):
        fingerprint(thing)


def _file(thing: Any) -> str:
    module = str(getattr(thing, "__module__", ""))
    return getattr(sys.modules.get(module), "__file__", None) or module


def _qualname(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", thing))


def _place(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{_qualname(thing)}"


def _packages(points: list[importlib.metadata.EntryPoint]) -> str:
    names = sorted({point.dist.name if point.dist is not None else point.value for point in points})
    return f"the package{'s' if len(names) > 1 else ''} {' and '.join(names)}"


def caller() -> tuple[str, bool]:
    """The name of the module whose code called into nlpipe, and whether another process can import it."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__", "")).partition(".")[0] == "nlpipe":
        frame = frame.f_back
    if frame is None:
        return "", False
    name = str(frame.f_globals.get("__name__", ""))
    module = sys.modules.get(name)
    if module is None or vars(module) is not frame.f_globals:
        return name, False
    if name == "__main__":
        return name, module.__spec__ is not None or Path(getattr(module, "__file__", None) or "").is_file()
    return name, module.__spec__ is not None
