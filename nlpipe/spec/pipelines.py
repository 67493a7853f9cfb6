"""A pipeline file read into a PipelineSpec: every key checked, every default filled in, the wiring checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

from annotated_types import Ge, Le

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import Fault, NlpipeError, SpecError, suggest
from nlpipe.options import Option, Positive, options_of
from nlpipe.pipeline.wiring import check_wiring
from nlpipe.spec.imports import KEY as IMPORT
from nlpipe.spec.imports import read_imports
from nlpipe.spec.stages import Read, StageSpec, check_plain, read_stage
from nlpipe.wire import Text, Wire
from nlpipe.yaml_values import Value, join, spelling_hint

Seed = Annotated[int, Ge(0), Le(2**32 - 1)]
"""What numpy and torch both take as a seed."""

Data = str | dict[str, Any] | None
"""A card's name or absolute path, or a mapping with absolute paths; None where it is to be given later."""

SLOTS = ("tokenizer", "representation", "encoder", "head")
KEYS = ("name", "description", "extend", IMPORT, "data", *SLOTS, "trainer", "seed", "train_size", "vary")
"""The keys of a pipeline file."""

SEED = Option("seed", Seed, 13)
TRAIN_SIZE = Option("train_size", Positive, None)
DESCRIPTION = Option("description", str, "")
NAME = r"\w[\w.+=-]{0,99}"


@dataclass(frozen=True)
class PipelineSpec:
    """A checked pipeline: equal to another where the two would do the same under the same name.

    Args:
        name: of the file or as it says; fit to be part of a directory's name.
        path: the file, or what stands for it in faults.
        data: what it learns from; found from any folder.
        stages: tokenizer, representation, encoders and head, in the order data flows.
        trainer: every option of the trainer where the head learns by gradients; else those given.
        imports: the modules of the user's own that its stages are registered in.
        train_size: examples to train on, chosen by the seed; None for the whole training split.
    """

    name: str
    path: str = field(compare=False)
    data: Data
    stages: tuple[StageSpec, ...]
    trainer: dict[str, Any]
    seed: int = 13
    description: str = ""
    imports: tuple[str, ...] = ()
    train_size: int | None = None

    def __repr__(self) -> str:
        return f"PipelineSpec({self.name!r}: {' → '.join(stage.name for stage in self.stages)})"

    def resolved(self) -> dict[str, Any]:
        """Plain data with every default filled in, which ``read_pipeline`` reads as an equal spec."""
        content: dict[str, Any] = {"name": self.name}
        if self.description:
            content["description"] = self.description
        if self.imports:
            content[IMPORT] = list(self.imports)
        if self.data is not None:
            content["data"] = self.data
        for kind in SLOTS:
            stages = [stage.resolved() for stage in self.stages if stage.slot == kind]
            if kind == "encoder":
                content[kind] = stages
            elif stages:
                content[kind] = stages[0]
        if self.trainer:
            content["trainer"] = _as_lists(self.trainer)
        content["seed"] = self.seed
        if self.train_size is not None:
            content["train_size"] = self.train_size
        return content


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


def safe_name(stem: str) -> str:
    """The name of a pipeline without ``name:``: its file's, without what a directory should not be called."""
    return re.sub(r"^\W+|[^\w.+=-]", "_", stem)[:100] or "pipeline"


def ordered(faults: Sequence[Fault], path: str) -> list[Fault]:
    """Faults without repetition, file by file in the order of lines; those of the file ``path`` first."""
    unique = list(dict.fromkeys(faults))
    files = list(dict.fromkeys([path, *(fault.path for fault in unique)]))
    return sorted(unique, key=lambda fault: (files.index(fault.path), fault.line, fault.column))


def build(root: Value, path: str, name: str) -> Built:
    """The spec that ``root`` describes, without regard to ``vary``."""
    faults: list[Fault] = []
    _check_keys(root, faults)
    name = _read_name(root, name, faults)
    imports = read_imports(root, faults)
    description = read_plain(root, DESCRIPTION, faults)
    data, source, target = _read_data(root, faults)
    reads = _read_stages(root, faults)
    head = reads[-1].stage if reads else None
    trainer = _read_trainer(root, head is not None and declares(type(head), Trained), faults)
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
    return Built(PipelineSpec(name, path, data, stages, trainer, seed, description, imports, train_size))


def read_plain(root: Value, option: Option, faults: list[Fault], key: str = "") -> Any:
    """The checked value of a plain key of ``root``; its default where it is absent, null or faulty."""
    given = root.entries.get(option.name)
    if given is None or given.content is None:
        return option.default
    before = len(faults)
    checked = check_plain(given, option, join(key, option.name), faults)
    return checked if len(faults) == before else option.default


def _check_keys(root: Value, faults: list[Fault]) -> None:
    if "pipelines" in root.entries and "head" not in root.entries:
        message = "this file is a comparison (it has 'pipelines'), not a pipeline; compare it: nlpipe compare"
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
    message = f"invalid value {given.plain()!r}: expected letters, digits and - _ . + =, fit for a directory's name"
    hint = spelling_hint(given, text_expected=True)
    faults.append(given.place.fault("name", f"{message}{hint}"))
    return name


def _read_data(root: Value, faults: list[Fault]) -> tuple[Data, type[Wire], type[Wire] | None]:
    """The data, what its task reads, and what its task asks for."""
    given = root.entries.get("data")
    if given is None or given.content is None:
        return None, Text, None
    try:
        return read_data(given)
    except SpecError as error:  # places of its own
        faults.extend(error.faults)
    except NlpipeError as error:
        faults.append(given.place.fault("data", str(error)))
    return None, Text, None


def read_data(value: Value) -> tuple[Data, type[Wire], type[Wire]]:
    """The data that ``value`` names or describes, and the wires of its task: of inputs and of targets.

    Raises:
        NlpipeError: there is no such card, or it has faults.
    """
    from nlpipe.datasets.card_finder import find_card
    from nlpipe.tasks import task_named

    located = find_card(value)
    task = task_named(located.card.task)
    return located.data, task.source, task.target


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


def trainer_options() -> Mapping[str, Option]:
    """The options of the trainer that a file may set."""
    from nlpipe.training.trainer import Trainer

    return {name: option for name, option in options_of(Trainer).items() if option.plain}


def _read_trainer(root: Value, wanted: bool, faults: list[Fault]) -> dict[str, Any]:
    """The trainer's options, defaults filled in where they are ``wanted``; it is loaded only where it must be."""
    given = root.entries.get("trainer")
    if given is None or given.content is None:
        given = Value({}, root.place)
    if not isinstance(given.content, dict):
        faults.append(given.place.fault("trainer", f"invalid value {given.plain()!r}: expected a mapping of options"))
        return {}
    if not given.content and not wanted:
        return {}
    known = trainer_options()
    values = {}
    for key, value in given.entries.items():
        if key not in known:
            message = f"the trainer has no option '{key}'{suggest(key, known)}"
            faults.append(given.keys[key].fault(join("trainer", key), message))
            continue
        before = len(faults)
        checked = check_plain(value, known[key], join("trainer", key), faults)
        if len(faults) == before:
            values[key] = checked
    for key, option in known.items() if wanted else ():
        if option.required and key not in given.entries:
            message = f"the trainer needs option '{key}' ({option.describe()})"
            faults.append(given.place.fault(join("trainer", key), message))
        elif key not in values:
            values[key] = option.default
    return {key: values[key] for key in known if key in values}
