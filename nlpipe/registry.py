"""Names to classes: each slot's front door, loaded when asked for.

A slot is a folder. Its ``__init__.py`` holds one table, ``name -> "module:Class"``; adding a stage is one file and
one line there. Other packages add theirs with an entry point (group ``nlpipe.tokenizers`` …) or with
``@nlpipe.register.tokenizer("name")``. A pipeline file names stages, never code to import.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.metadata
import importlib.util
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from nlpipe.errors import MissingExtra, NlpipeError, suggest
from nlpipe.options import options_of
from nlpipe.stage import Decoder, Encoder, Head, Representation, Stage, Tokenizer

S = TypeVar("S", bound="Stage[Any, Any]")

FOLDERS: Mapping[str, tuple[str, type[Stage[Any, Any]]]] = {
    "tokenizer": ("tokenizers", Tokenizer),
    "representation": ("representations", Representation),
    "encoder": ("encoders", Encoder),
    "decoder": ("decoders", Decoder),
    "head": ("heads", Head),
}
"""Slot, as pipeline files spell it, to its folder and the class its stages derive from; in the order data flows."""

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
}
"""Optional package, as imported, to the extra that installs it."""


def missing_extra(what: str, error: ModuleNotFoundError) -> MissingExtra:
    """The error for ``what`` (``tokenizer 'spacy'``) that needs a package which is not installed."""
    module = (error.name or "").partition(".")[0]
    named = what.rpartition(" ")[2].strip("'")
    extra = EXTRAS.get(module)
    if extra is not None and named in EXTRAS.values():
        extra = named  # the extra with the stage's own name brings all that it needs
    way = f'pip install "nlpipe[{extra}]"' if extra else f"pip install {module}"
    return MissingExtra(f"{what} needs the package '{module}', which is not installed; {way}")


class Slot(Generic[S]):
    """One kind of stage: the names a pipeline file may use for it, and their classes.

    Args:
        name: as pipeline files spell it, ``tokenizer``.
        base: what every stage of it derives from.
        package: the folder, ``nlpipe.tokenizers``; entry points are looked for in the group of this name.
        table: name to ``module:Class``, modules within ``package``.
    """

    def __init__(self, name: str, base: type[S], package: str, table: Mapping[str, str]) -> None:
        self.name = name
        self.base = base
        self.package = package
        self.table = {key: f"{package}.{target}" for key, target in table.items()}
        self._registered: dict[str, type[S]] = {}

    @functools.cached_property
    def _entry_points(self) -> dict[str, importlib.metadata.EntryPoint]:
        return {point.name: point for point in importlib.metadata.entry_points(group=self.package)}

    def names(self) -> list[str]:
        """Every name that can be used, built in or not, sorted."""
        return sorted({*self.table, *self._registered, *self._entry_points})

    def load(self, name: str) -> type[S]:
        """The class called ``name``.

        Raises:
            NlpipeError: there is none; the message has the nearest name.
            MissingExtra: it needs a package that is not installed.
        """
        if name in self._registered:
            return self._registered[name]
        if name not in self.table and name not in self._entry_points:
            raise NlpipeError(f"there is no {self.name} '{name}'{suggest(name, self.names())}")
        try:
            if name in self.table:
                module, _, attribute = self.table[name].partition(":")
                found = getattr(importlib.import_module(module), attribute)
            else:
                found = self._entry_points[name].load()
        except ModuleNotFoundError as error:
            if (error.name or "nlpipe").partition(".")[0] == "nlpipe":
                raise  # our own module is missing: a bug, not an extra
            raise missing_extra(f"{self.name} '{name}'", error) from error
        return self._accept(name, found)

    def _accept(self, name: str, found: Any) -> type[S]:
        if not (isinstance(found, type) and issubclass(found, self.base)):
            raise NlpipeError(f"{self.name} '{name}' is {found!r}, which does not derive from {self.base.__name__}")
        return found

    def register(self, name: str) -> Callable[[type[S]], type[S]]:
        """A class decorator that makes the class usable as ``name`` in this process.

        Raises:
            NlpipeError: the name is taken by another class, or the class is not one of this slot.
        """

        def add(found: type[S]) -> type[S]:
            if name in self.names() and self._registered.get(name) is not found:
                raise NlpipeError(f"the {self.name} name '{name}' is taken; choose another")
            self._registered[name] = self._accept(name, found)
            return found

        return add

    def name_of(self, owner: type[Stage[Any, Any]]) -> str:
        """The name under which ``owner`` is known.

        Raises:
            NlpipeError: it is not registered.
        """
        target = f"{owner.__module__}:{owner.__qualname__}"
        for name in self.names():
            point = self._entry_points.get(name)
            if target == self.table.get(name) or self._registered.get(name) is owner:
                return name
            if point is not None and name not in self.table and point.value == target:
                return name
        raise NlpipeError(
            f"{owner.__qualname__} is no registered {self.name}: write @nlpipe.register.{self.name}('name') above it"
        )

    def summary(self, name: str) -> str:
        """The first line of the docstring of ``name``, read without importing a built-in stage."""
        if name not in self.table:
            return (self.load(name).__doc__ or "").strip().partition("\n")[0]
        module, _, attribute = self.table[name].partition(":")
        spec = importlib.util.find_spec(module)
        assert spec is not None and spec.origin is not None, module
        tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and node.name == attribute:
                return (ast.get_docstring(node) or "").partition("\n")[0]
        return ""

    def class_names(self) -> list[str]:
        """The class of each built-in stage, sorted: what can be imported from the folder."""
        return sorted(target.partition(":")[2] for target in self.table.values())

    def attribute(self, attribute: str) -> Any:
        """``from nlpipe.tokenizers import Regex``: the class of this name, for the folder's ``__getattr__``.

        Raises:
            AttributeError: no built-in stage of this slot has that class name.
        """
        for name, target in self.table.items():
            if target.partition(":")[2] == attribute:
                return self.load(name)
        raise AttributeError(f"module '{self.package}' has no attribute '{attribute}'")


def slot(name: str) -> Slot[Any]:
    """The slot that pipeline files call ``name``.

    Raises:
        NlpipeError: there is none.
    """
    if name not in FOLDERS:
        raise NlpipeError(f"there is no slot '{name}'{suggest(name, FOLDERS)}")
    found = importlib.import_module(f"nlpipe.{FOLDERS[name][0]}").SLOT
    assert isinstance(found, Slot)
    return found


def slot_of(annotation: Any) -> str | None:
    """The slot whose stages an option annotated with ``annotation`` takes (``Tokenizer`` -> ``tokenizer``), if any.

    Unions and lists are looked into: ``Tokenizer | None`` and ``list[Representation]`` name a slot too.
    """
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation) or annotation
    for name, (_, base) in FOLDERS.items():
        if isinstance(origin, type) and issubclass(origin, base):
            return name
    return next((found for argument in arguments if (found := slot_of(argument))), None)


def slot_name(stage: Stage[Any, Any]) -> str:
    """The slot that ``stage`` belongs to: the one whose base class it derives from."""
    return next(name for name, (_, base) in FOLDERS.items() if isinstance(stage, base))


def written_name(stage: Stage[Any, Any]) -> str:
    """What files call ``stage``; its class's name where that is not registered."""
    try:
        return slot(slot_name(stage)).name_of(type(stage))
    except NlpipeError:
        return type(stage).__name__


def to_plain(stage: Stage[Any, Any]) -> dict[str, Any]:
    """A stage as a pipeline file writes it: ``name`` and every option, nested stages likewise.

    Raises:
        NlpipeError: its class is not registered, so that no file can name it.
    """

    def plain(value: Any) -> Any:
        if isinstance(value, Stage):
            return to_plain(value)
        if isinstance(value, list | tuple):
            return [plain(item) for item in value]
        return value

    options = {name: plain(value) for name, value in stage.options.items()}
    return {"name": slot(slot_name(stage)).name_of(type(stage)), **options}


def from_plain(slot_key: str, written: Mapping[str, Any]) -> Stage[Any, Any]:
    """A new stage from what ``to_plain`` gave.

    Raises:
        NlpipeError: no stage has that name.
        ValueError: an option is unknown or does not fit.
    """
    owner = slot(slot_key).load(written["name"])
    known = options_of(typing.cast(Callable[..., Any], owner))

    def made(value: Any, inner: str) -> Any:
        if isinstance(value, list):
            return [made(item, inner) for item in value]
        return from_plain(inner, value) if isinstance(value, Mapping) else value

    options = {}
    for name, value in written.items():
        if name != "name":
            inner = slot_of(known[name].annotation) if name in known else None
            options[name] = made(value, inner) if inner else value
    found = owner(**options)
    assert isinstance(found, Stage)
    return found


class _Register:
    """``register.encoder("conv")``: a class decorator for every slot."""

    def __getattr__(self, name: str) -> Callable[[str], Callable[[type[S]], type[S]]]:
        if name not in FOLDERS:
            raise AttributeError(f"there is no slot '{name}'{suggest(name, FOLDERS)}")
        return slot(name).register


register = _Register()
