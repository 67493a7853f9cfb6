"""A stage as a file has it, a bare name or a mapping of name and options, checked against its constructor."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import Fault, NlpipeError, suggest
from nlpipe.options import Option, options_of
from nlpipe.registry import slot, slot_of
from nlpipe.stage import AnyStage, Stage
from nlpipe.synonyms import meant
from nlpipe.yaml_values import Place, Value, join, spelling_hint, warn_of_octals


@dataclass(frozen=True)
class StageSpec:
    """A checked stage: its slot, its name there, and every option with its value; nested stages are StageSpecs too."""

    slot: str
    name: str
    options: dict[str, Any]

    def __repr__(self) -> str:
        return f"StageSpec({self.slot} {self.name!r})"

    def make(self) -> AnyStage:
        """A new instance, with new instances of its nested stages.

        Raises:
            ValueError: the constructor refuses the combination of options.
        """
        owner = slot(self.slot).load(self.name)
        stage: AnyStage = owner(**{name: _made(value) for name, value in self.options.items()})
        return stage

    def resolved(self) -> dict[str, Any]:
        """Plain data that reads as this stage."""
        return {"name": self.name, **{name: _resolved(value) for name, value in self.options.items()}}


def _made(value: Any) -> Any:
    if isinstance(value, StageSpec):
        return value.make()
    return [_made(item) for item in value] if isinstance(value, list) else value


def _resolved(value: Any) -> Any:
    if isinstance(value, StageSpec):
        return value.resolved()
    if isinstance(value, list | tuple):
        return [_resolved(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_resolved(item) for item in value)
    if isinstance(value, dict):
        return {str(key): _resolved(item) for key, item in value.items()}
    return str(value) if isinstance(value, Path) else value


def spec_of(stage: AnyStage) -> StageSpec:
    """The spec of an instance.

    Raises:
        NlpipeError: its class is not registered.
    """
    kind = slot_of(type(stage))
    if kind is None:
        raise NlpipeError(f"{type(stage).__name__} is not a stage of any slot")
    return StageSpec(kind, slot(kind).name_of(type(stage)), {k: _spec(v) for k, v in stage.options.items()})


def _spec(value: Any) -> Any:
    if isinstance(value, Stage):
        return spec_of(value)
    return [_spec(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class StageReading:
    """The result of reading one stage.

    Args:
        name: the name that the file gives; ``?`` if it gives none.
        key: the key path of the stage.
        spec: None if the stage has faults.
        stage: an instance for the wiring check, made without faulty options; None if that is impossible.
    """

    slot: str
    name: str
    key: str
    place: Place
    spec: StageSpec | None = None
    stage: AnyStage | None = None


def read_stage(value: Value, kind: str, key: str, faults: list[Fault]) -> StageReading:
    """Read the stage of slot ``kind`` that ``value`` describes; its faults are added to ``faults``."""
    name = _name(value, kind, key, faults)
    without_stage = StageReading(kind, name or "?", key, value.place)
    if name is None:
        return without_stage
    try:
        owner: Callable[..., Any] = slot(kind).load(name)
    except NlpipeError as error:
        at = value.entries.get("name", value)
        faults.append(at.place.fault(key if at is value else join(key, "name"), str(error)))
        return without_stage
    before = len(faults)
    options = _options(value.without("name"), owner, kind, name, key, faults)
    sound = len(faults) == before
    spec = StageSpec(kind, name, options)
    if any(option.required and typed not in options for typed, option in options_of(owner).items()):
        return without_stage  # the missing option is in faults
    try:
        stage = spec.make()
    except (ValueError, NlpipeError) as error:
        if sound:
            faults.append(value.place.fault(key, f"{name}: {error}"))
        return without_stage
    return StageReading(kind, name, key, value.place, spec if sound else None, stage)


def _name(value: Value, kind: str, key: str, faults: list[Fault]) -> str | None:
    if isinstance(value.content, str):
        return value.content
    article = "an" if kind[0] in "aeiou" else "a"
    if not isinstance(value.content, dict):
        shown = "a list" if isinstance(value.content, tuple) else repr(value.content)
        faults.append(value.place.fault(key, f"{article} {kind} is a name or a mapping with 'name', not {shown}"))
        return None
    given = value.entries.get("name")
    if given is None:
        names = ", ".join(slot(kind).names())
        near = [typed for typed in value.entries if suggest(typed, ["name"]).startswith("; did")]
        hint = f" (is '{near[0]}' meant as 'name'?)" if near else ""
        faults.append(value.place.fault(join(key, "name"), f"the name of the {kind} is missing{hint}; known: {names}"))
        return None
    if not isinstance(given.content, str):
        message = f"invalid name {given.plain()!r}: expected a string"
        faults.append(given.place.fault(join(key, "name"), message))
        return None
    return given.content


def _options(
    value: Value, owner: Callable[..., Any], kind: str, name: str, key: str, faults: list[Fault]
) -> dict[str, Any]:
    """The checked values of all options of ``owner``, with defaults; faulty ones are left out."""
    options = options_of(owner)
    checked: dict[str, Any] = {}
    for typed, given in value.entries.items():
        if typed not in options:
            others = elsewhere(typed, kind, options, owner) or (
                suggest(typed, options) if options else "; it takes none"
            )
            faults.append(value.keys[typed].fault(join(key, typed), f"{name} has no option '{typed}'{others}"))
            continue
        before = len(faults)
        checked[typed] = read_option(given, options[typed], join(key, typed), faults)
        if len(faults) > before:
            del checked[typed]
    for typed, option in options.items():
        if typed in value.entries:
            continue
        if option.required:
            message = f"{name} needs option '{typed}' ({option.describe()})"
            faults.append(value.place.fault(join(key, typed), message))
        else:
            checked[typed] = _spec(option.default)
    return {typed: checked[typed] for typed in options if typed in checked}


def elsewhere(typed: str, kind: str, options: Collection[str], owner: Callable[..., Any] | None = None) -> str:
    """The end of a message about an option that stands in the wrong place: where it belongs; empty if that is here.

    Args:
        kind: the slot that it stands under; ``pipeline`` for the top of a file.
        options: those that it could be there.
        owner: the class of the stage that it is given to; a head that learns without gradients has no trainer.
    """
    from nlpipe.training.trainer import Trainer

    if meant(typed, options):
        return ""
    trained = kind != "head" or (isinstance(owner, type) and declares(owner, Trained))
    tokenizers = slot("tokenizer")
    holders: dict[str, Callable[..., Any]] = {"trainer": Trainer} if trained else {}
    if "regex" in tokenizers:
        holders["tokenizer"] = tokenizers.load("regex")
    for place, holder in holders.items():
        names = options_of(holder)
        name = typed if typed in names else meant(typed, names)
        if name and place != kind:
            return f"; did you mean '{place}: {{{name}: ...}}'?"
    return ""


def read_option(value: Value, option: Option, key: str, faults: list[Fault]) -> Any:
    """The checked value of one option, with nested stages as StageSpecs; None if it is faulty."""
    kind = slot_of(option.annotation)
    if kind is not None and value.content not in _words(option.annotation):
        return _nested(value, kind, option.annotation, key, faults)
    before = len(faults)
    checked = check_plain(value, option, key, faults)
    return _absolute(checked, value, key, faults) if option.names_files and len(faults) == before else checked


def check_plain(value: Value, option: Option, key: str, faults: list[Fault]) -> Any:
    """The checked value of an option that takes no stages; None if it is faulty.

    If the cause is how YAML reads a spelling, the fault says what to write instead.
    """
    try:
        checked = option.check(value.plain())
    except ValueError as error:
        hint = spelling_hint(value, text_expected="string" in str(error).rpartition("expected")[2])
        faults.append(value.place.fault(key, f"{error}{hint}"))
        return None
    warn_of_octals(value, key)
    return checked


def _absolute(written: Any, value: Value, key: str, faults: list[Fault]) -> Any:
    """The absolute path of each file that exists, so that it is found from any folder; otherwise what is written.

    Paths start from the file that holds them. A folder is meant only where it is written as a path: ``minilm`` is the
    name of a model, whatever folder is called so.
    """
    if not isinstance(written, str):
        return [_absolute(item, value, key, faults) for item in written] if isinstance(written, list) else written
    try:
        path = Path(written).expanduser()
    except RuntimeError:  # no such user
        return written
    folder = value.place.folder(Path())
    if _is_meant(folder / path, written):
        return str((folder / path).resolve())
    if _is_meant(path, written):
        message = f"there is no file '{written}' in '{folder}'; it is in the working directory, but paths start from"
        faults.append(value.place.fault(key, f"{message} the file that names them"))
    return written


def _is_meant(path: Path, written: str) -> bool:
    """Whether ``path`` is a file, or a folder that was written as a path."""
    try:
        return path.is_file() or (path.is_dir() and (len(Path(written).parts) > 1 or written.startswith(".")))
    except (OSError, ValueError):  # too long a name, a null character
        return False


def _nested(value: Value, kind: str, annotation: Any, key: str, faults: list[Fault]) -> Any:
    members = _members(annotation)
    takes_list = any(typing.get_origin(member) in (list, tuple) for member in members)
    takes_one = any(slot_of(member) and typing.get_origin(member) not in (list, tuple) for member in members)
    if value.content is None and type(None) in members:
        return None
    if isinstance(value.content, tuple):
        if not takes_list:
            faults.append(value.place.fault(key, f"expected one {kind}, not a list"))
            return None
        return [read_stage(item, kind, join(key, i), faults).spec for i, item in enumerate(value.content)]
    spec = read_stage(value, kind, key, faults).spec
    return spec if takes_one else [spec]


def _members(annotation: Any) -> tuple[Any, ...]:
    """The members of a union; of another annotation, itself."""
    origin = typing.get_origin(annotation)
    if origin is Annotated:
        return _members(typing.get_args(annotation)[0])
    if origin in (typing.Union, types.UnionType):
        return tuple(inner for member in typing.get_args(annotation) for inner in _members(member))
    return (annotation,)


def _words(annotation: Any) -> tuple[Any, ...]:
    """The literals that an option for stages takes too."""
    literals = [member for member in _members(annotation) if typing.get_origin(member) is typing.Literal]
    return tuple(word for literal in literals for word in typing.get_args(literal))


def nested_shape(annotation: Any) -> tuple[bool, bool, tuple[Any, ...]]:
    """Whether an option for stages takes a list, whether it takes null, and the literals that it takes too."""
    members = _members(annotation)
    takes_list = any(typing.get_origin(member) in (list, tuple) for member in members)
    return takes_list, type(None) in members, _words(annotation)
