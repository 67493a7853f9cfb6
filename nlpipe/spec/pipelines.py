"""A pipeline file read into a PipelineSpec: every key checked, every default filled in, the wiring checked."""

from __future__ import annotations

import importlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le

from nlpipe.errors import Fault, NlpipeError, SpecError, suggest
from nlpipe.options import Option, Positive, options_of
from nlpipe.pipeline.wiring import check_wiring
from nlpipe.registry import missing_extra
from nlpipe.spec.stages import Read, StageSpec, read_stage
from nlpipe.spec.yaml_reader import Place, Value, from_plain, join
from nlpipe.stage import Head, Stage
from nlpipe.user_code import import_modules
from nlpipe.wire import Text, Wire

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""What numpy and torch both take as a seed."""

WiresOf = Callable[[Any], "tuple[type[Wire], type[Wire]] | None"]
"""From ``data`` (a card's name or a mapping) to what its task gives and asks for; None where that cannot be said.

It may raise NlpipeError (no such card), which becomes a fault of the key ``data``.
"""

SLOTS = ("tokenizer", "representation", "encoder", "head")
KEYS = ("name", "description", "extend", "import", "data", *SLOTS, "trainer", "seed", "train_size", "vary")
"""The keys of a pipeline file."""

SEED = Option("seed", Seed, 13)
TRAIN_SIZE = Option("train_size", Positive, None)
NAME = r"\w[\w.+=-]{0,99}"


@dataclass(frozen=True)
class PipelineSpec:
    """A checked pipeline: equal to another where the two would do the same under the same name.

    Args:
        name: of the file or as it says; fit to be part of a directory's name.
        path: the file, or what stands for it in faults.
        data: a card's name, a mapping, or None where it is to be given later.
        stages: tokenizer, representation, encoders and head, in the order data flows.
        trainer: every option of the trainer where the head learns by gradients; else those given.
        train_size: examples to train on, chosen by the seed; None for the whole training split.
    """

    name: str
    path: str = field(compare=False)
    data: str | dict[str, Any] | None
    stages: tuple[StageSpec, ...]
    trainer: dict[str, Any]
    seed: int = 13
    description: str = ""
    train_size: int | None = None

    def make(self) -> list[tuple[str, str, Stage[Any, Any]]]:
        """Fresh instances of all stages, each with its slot and name."""
        return [(stage.slot, stage.name, stage.make()) for stage in self.stages]

    def resolved(self) -> dict[str, Any]:
        """Plain data with every default filled in, which ``pipeline_from`` reads as an equal spec."""
        found: dict[str, Any] = {"name": self.name}
        if self.description:
            found["description"] = self.description
        if self.data is not None:
            found["data"] = self.data
        for kind in SLOTS:
            stages = [stage.resolved() for stage in self.stages if stage.slot == kind]
            if kind == "encoder":
                found[kind] = stages
            elif stages:
                found[kind] = stages[0]
        if self.trainer:
            found["trainer"] = _as_lists(self.trainer)
        found["seed"] = self.seed
        if self.train_size is not None:
            found["train_size"] = self.train_size
        return found


def _as_lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _as_lists(item) for key, item in value.items()}
    return [_as_lists(item) for item in value] if isinstance(value, list | tuple) else value


@dataclass(frozen=True)
class Built:
    """What building gave: the spec where there is no fault; faults of the wiring apart from the others."""

    spec: PipelineSpec | None
    faults: tuple[Fault, ...] = ()
    wiring: tuple[Fault, ...] = ()


def file_name(path: Path) -> str:
    """The name of a pipeline without ``name:``: the file's, without what a directory should not be called."""
    return re.sub(r"^\W+|[^\w.+=-]", "_", path.stem)[:100] or "pipeline"


def as_value(content: Mapping[str, Any], source: str) -> Value:
    """A mapping written in Python, as if read from a file.

    Raises:
        SpecError: it is not plain data.
    """
    return from_plain(content, Place(source))


def ordered(faults: Sequence[Fault], path: str) -> list[Fault]:
    """Faults without repetition, file by file in the order of lines; those of the file ``path`` first."""
    unique = list(dict.fromkeys(faults))
    files = list(dict.fromkeys([path, *(fault.path for fault in unique)]))
    return sorted(unique, key=lambda fault: (files.index(fault.path), fault.line, fault.column))


def build(root: Value, path: str, name: str, wires: WiresOf | None = None) -> Built:
    """The spec that ``root`` describes, without regard to ``vary``."""
    faults: list[Fault] = []
    _check_keys(root, faults)
    read_imports(root, faults)
    name = _read_name(root, name, faults)
    description = root.entries.get("description")
    if description is not None and not isinstance(description.content, str | None):
        faults.append(description.place.fault("description", f"this is text, not {description.plain()!r}"))
    data, source, target = _read_data(root, wires, faults)
    reads = _read_stages(root, faults)
    head = reads[-1].stage if reads else None
    trainer = _read_trainer(root, isinstance(head, Head) and head.by_gradient, faults)
    seed = read_plain(root, SEED, faults)
    train_size = read_plain(root, TRAIN_SIZE, faults)
    placed = [(read.slot, read.name, read.stage) for read in reads]
    wiring = [
        reads[fault.index].place.fault(reads[fault.index].key, fault.message)
        for fault in check_wiring(placed, target, source)
    ]
    if faults or wiring:
        return Built(None, tuple(faults), tuple(wiring))
    stages = tuple(read.spec for read in reads if read.spec is not None)
    text = str(description.content or "") if description is not None else ""
    return Built(PipelineSpec(name, path, data, stages, trainer, seed, text, train_size))


def read_imports(root: Value, faults: list[Fault]) -> None:
    """Import the modules of the user's own that ``import:`` names, before any stage is looked for.

    They are looked for beside the file that names them, in the working directory and where Python looks.
    """
    given = root.entries.get("import")
    if given is None or given.content is None:
        return
    written = given.plain()
    names = [name for name in (written if isinstance(written, list) else [written]) if isinstance(name, str)]
    if len(names) < (len(written) if isinstance(written, list) else 1):
        faults.append(given.place.fault("import", f"this is a module's name or a list of names, not {written!r}"))
        return
    try:
        import_modules(names, Path(given.place.path).parent)
    except NlpipeError as error:
        faults.append(given.place.fault("import", str(error)))


def read_plain(root: Value, option: Option, faults: list[Fault], key: str = "") -> Any:
    """The checked value of a plain key of ``root``, or its default; null is as good as absent."""
    given = root.entries.get(option.name)
    if given is None or given.content is None:
        return option.default
    try:
        return option.check(given.plain())
    except ValueError as error:
        faults.append(given.place.fault(join(key, option.name), str(error)))
        return option.default


def _check_keys(root: Value, faults: list[Fault]) -> None:
    if "pipelines" in root.entries and "head" not in root.entries:
        message = "this file is a comparison (it has 'pipelines'), not a pipeline; use nlpipe compare"
        faults.append(root.keys["pipelines"].fault("pipelines", message))
        return
    for key in root.entries:
        if key not in KEYS:
            faults.append(root.keys[key].fault(key, f"a pipeline has no key '{key}'{suggest(key, KEYS)}"))


def _read_name(root: Value, name: str, faults: list[Fault]) -> str:
    given = root.entries.get("name")
    if given is None or given.content is None:
        return name
    if isinstance(given.content, str) and re.fullmatch(NAME, given.content):
        return given.content
    message = f"{given.plain()!r} will not do as part of a directory's name: use letters, digits and - _ . + ="
    faults.append(given.place.fault("name", message))
    return name


def _read_data(
    root: Value, wires: WiresOf | None, faults: list[Fault]
) -> tuple[str | dict[str, Any] | None, type[Wire], type[Wire] | None]:
    given = root.entries.get("data")
    if given is None or given.content is None:
        return None, Text, None
    data = given.plain()
    if not isinstance(data, str | dict) or not data:
        message = f"data is the name of a card or a mapping with 'task' and files, not {data!r}"
        faults.append(given.place.fault("data", message))
        return None, Text, None
    try:
        found = wires(data) if wires is not None else None
    except SpecError as error:  # places of its own
        faults.extend(error.faults)
        found = None
    except NlpipeError as error:
        faults.append(given.place.fault("data", str(error)))
        found = None
    return (data, *found) if found else (data, Text, None)


def _read_stages(root: Value, faults: list[Fault]) -> list[Read]:
    """All stages in order, the head last; empty where there is no head.

    Where no tokenizer is named it is regex, unless the stage that would follow takes Text itself.
    """
    reads = []
    named = root.entries.get("tokenizer")
    for kind in SLOTS:
        given = root.entries.get(kind)
        if given is None or given.content is None:
            if kind == "tokenizer":
                reads.append(read_stage(Value("regex", root.place), kind, kind, faults))
            elif kind == "head" and "pipelines" not in root.entries:
                place = given.place if given is not None else root.place
                faults.append(place.fault("head", "a pipeline needs a head, such as 'head: logistic_regression'"))
        elif kind == "encoder" and isinstance(given.content, tuple):
            items = [(i, item) for i, item in enumerate(given.content) if item.content is not None]
            reads.extend(read_stage(item, kind, join(kind, i), faults) for i, item in items)
        else:
            reads.append(read_stage(given, kind, kind, faults))
    by_default = named is None or named.content is None
    if by_default and len(reads) > 1 and reads[1].stage is not None and reads[1].stage.takes is Text:
        del reads[0]
    return reads


def load_trainer() -> Callable[..., Any] | None:
    """The class of the gradient loop; None where this nlpipe has none.

    Raises:
        MissingExtra: it needs a package that is not installed.
    """
    if importlib.util.find_spec("nlpipe.training.trainer") is None:
        return None
    try:
        found: Callable[..., Any] = importlib.import_module("nlpipe.training.trainer").Trainer
    except ModuleNotFoundError as error:
        if (error.name or "nlpipe").partition(".")[0] == "nlpipe":
            raise
        raise missing_extra("trainer", error) from error
    return found


def trainer_options() -> Mapping[str, Option]:
    """The options of the trainer that a file may set; none where this nlpipe has no trainer.

    Raises:
        MissingExtra: it needs a package that is not installed.
    """
    trainer = load_trainer()
    return {name: option for name, option in options_of(trainer).items() if option.plain} if trainer else {}


def _read_trainer(root: Value, wanted: bool, faults: list[Fault]) -> dict[str, Any]:
    """The trainer's options, defaults filled in where they are ``wanted``; it is loaded only where it must be."""
    given = root.entries.get("trainer")
    if given is None or given.content is None:
        given = Value({}, root.place)
    if not isinstance(given.content, dict):
        faults.append(given.place.fault("trainer", f"this is a mapping of options, not {given.plain()!r}"))
        return {}
    if not given.content and not wanted:
        return {}
    try:
        known = trainer_options()
    except NlpipeError as error:
        faults.append(given.place.fault("trainer", str(error)))
        return {}
    values = {}
    for key, value in given.entries.items():
        if key not in known:
            way = suggest(key, known) if known else "; this nlpipe has no trainer"
            faults.append(given.keys[key].fault(join("trainer", key), f"the trainer has no option '{key}'{way}"))
            continue
        try:
            values[key] = known[key].check(value.plain())
        except ValueError as error:
            faults.append(value.place.fault(join("trainer", key), str(error)))
    for key, option in known.items() if wanted else ():
        if option.required and key not in given.entries:
            message = f"the trainer needs option '{key}' ({option.describe()})"
            faults.append(given.place.fault(join("trainer", key), message))
        elif key not in values:
            values[key] = option.default
    return {key: values[key] for key in known if key in values}
