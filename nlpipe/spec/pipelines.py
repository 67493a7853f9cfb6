"""Read a pipeline into a PipelineSpec: every key is checked, every default is filled in, and the wiring is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlpipe.capabilities import Trained, declares
from nlpipe.errors import Fault, NlpipeError, SpecError, suggest
from nlpipe.options import Option, Positive, Seed, options_of
from nlpipe.pipeline.thresholds import Aim
from nlpipe.pipeline.wiring import check_wiring
from nlpipe.spec.imports import KEY as IMPORT
from nlpipe.spec.imports import read_imports
from nlpipe.spec.search_space import Tuning
from nlpipe.spec.stages import StageReading, StageSpec, check_plain, elsewhere, read_stage
from nlpipe.tasks.task import Task
from nlpipe.wire import Text
from nlpipe.yaml_values import Value, join, spelling_hint

Data = str | dict[str, Any] | None
"""A card's name, its absolute path, or a mapping with absolute paths; None if no data is named."""

SLOTS = ("tokenizer", "representation", "encoder", "head")
KEYS = ("name", "description", "extend", IMPORT, "data", *SLOTS, "trainer", "seed", "train_size", "vary", "tune")
"""The keys of a pipeline file."""

OF_COMPARISONS = {
    "folds": "; 'tune: {folds: ...}' scores what is searched in folds, 'folds:' of a comparison scores pipelines",
    "repeats": "; it belongs in a comparison, which scores pipelines in folds",
}
"""Keys that a comparison has, to the end of the message where a pipeline has one."""

SEED = Option("seed", Seed, 13)
TRAIN_SIZE = Option("train_size", Positive, None)
DESCRIPTION = Option("description", str, "")
NAME = r"\w[\w.+=-]{0,99}"


@dataclass(frozen=True)
class PipelineSpec:
    """A checked pipeline.

    Args:
        name: its ``name:``, or that of its file; it can be part of a directory's name.
        path: its file, or what stands for it in messages; two specs that differ only in this are equal.
        data: its data set; it is found from any folder.
        stages: tokenizer, representation, encoders and head, in the order of the data flow.
        trainer: every option of the trainer if the head learns by gradients; otherwise the given ones.
        imports: modules of the user's own that are imported before its stages are looked up.
        train_size: examples to train on, chosen by the seed; None for the whole training split.
        tune: what ``nlpipe tune`` searches; specs that differ in this alone are equal.
        members: of a cascade, cheapest first; its ``stages`` and ``trainer`` are those of the last. Others have none.
        aim: what the thresholds of a cascade are fitted for.
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
    tune: Tuning | None = field(default=None, compare=False)
    members: tuple[PipelineSpec, ...] = ()
    aim: Aim | None = None

    def __repr__(self) -> str:
        return f"PipelineSpec({self.name!r}: {self.parts})"

    @property
    def parts(self) -> str:
        """Its stages, or the members of a cascade, for people."""
        return " → ".join(each.name for each in self.members or self.stages)

    def resolved(self) -> dict[str, Any]:
        """Plain data with every default, from which ``read_pipeline`` reads an equal spec; without ``tune``."""
        content: dict[str, Any] = {"name": self.name}
        if self.description:
            content["description"] = self.description
        if self.imports:
            content[IMPORT] = list(self.imports)
        if self.data is not None:
            content["data"] = self.data
        if self.members and self.aim is not None:
            shared = (IMPORT, "data", "seed")
            parts = [
                {key: value for key, value in each.resolved().items() if key not in shared} for each in self.members
            ]
            content |= {"cascade": parts, **self.aim.plain(), "seed": self.seed}
            return content if self.train_size is None else {**content, "train_size": self.train_size}
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
    """A spec, or None and the faults; faults of the wiring are separate from the others."""

    spec: PipelineSpec | None
    faults: tuple[Fault, ...] = ()
    wiring: tuple[Fault, ...] = ()


def safe_name(stem: str) -> str:
    """The name of a pipeline without ``name:``: that of its file, with characters replaced that are unsafe in paths."""
    return re.sub(r"^\W+|[^\w.+=-]", "_", stem)[:100] or "pipeline"


def ordered(faults: Sequence[Fault], path: str) -> list[Fault]:
    """Faults without duplicates, sorted by file and line; those of the file ``path`` come first."""
    unique = list(dict.fromkeys(faults))
    files = list(dict.fromkeys([path, *(fault.path for fault in unique)]))
    return sorted(unique, key=lambda fault: (files.index(fault.path), fault.line, fault.column))


def build(root: Value, path: str, name: str) -> Built:
    """The spec that ``root`` describes; ``vary`` and ``tune`` are ignored."""
    faults: list[Fault] = []
    _check_keys(root, faults)
    name = read_name(root, name, faults)
    imports = read_imports(root, faults)
    description = read_plain(root, DESCRIPTION, faults)
    data, task = read_optional_data(root, faults)
    readings = _read_stages(root, faults)
    head = readings[-1].stage if readings else None
    trainer = _read_trainer(root, head is not None and declares(type(head), Trained), faults)
    seed = read_plain(root, SEED, faults)
    train_size = read_plain(root, TRAIN_SIZE, faults)
    placed = [(reading.slot, reading.name, reading.stage) for reading in readings]
    wiring = [
        readings[fault.index].place.fault(readings[fault.index].key, fault.message)
        for fault in (check_wiring(placed) if task is None else check_wiring(placed, *task.asks()))
    ]
    if faults or wiring:
        return Built(None, tuple(faults), tuple(wiring))
    stages = tuple(reading.spec for reading in readings if reading.spec is not None)
    return Built(PipelineSpec(name, path, data, stages, trainer, seed, description, imports, train_size))


def read_plain(root: Value, option: Option, faults: list[Fault], key: str = "") -> Any:
    """The checked value of a plain key of ``root``; the default if it is absent, null or faulty."""
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
            hint = OF_COMPARISONS.get(key) or elsewhere(key, "pipeline", KEYS) or suggest(key, KEYS)
            faults.append(root.keys[key].fault(key, f"a pipeline has no key '{key}'{hint}"))


def read_name(root: Value, name: str, faults: list[Fault]) -> str:
    """The checked ``name:`` of ``root``, or ``name`` where there is none."""
    given = root.entries.get("name")
    if given is None or given.content is None:
        return name
    if isinstance(given.content, str) and re.fullmatch(NAME, given.content):
        return given.content
    message = f"invalid value {given.plain()!r}: expected letters, digits and - _ . + =, fit for a directory's name"
    hint = spelling_hint(given, text_expected=True)
    faults.append(given.place.fault("name", f"{message}{hint}"))
    return name


def read_optional_data(root: Value, faults: list[Fault]) -> tuple[Data, Task | None]:
    """The data and its task, None where it is not known."""
    given = root.entries.get("data")
    if given is None or given.content is None:
        return None, None
    try:
        return read_data(given)
    except SpecError as error:  # its faults have their own places
        faults.extend(error.faults)
    except NlpipeError as error:
        faults.append(given.place.fault("data", str(error)))
    return None, None


def read_data(value: Value) -> tuple[Data, Task]:
    """The data that ``value`` names or describes, and its task.

    Raises:
        NlpipeError: there is no such card, or it has faults.
    """
    from nlpipe.datasets.card_finder import find_card
    from nlpipe.tasks import task_named

    located = find_card(value)
    return located.data, task_named(located.card.task)


def _read_stages(root: Value, faults: list[Fault]) -> list[StageReading]:
    """All stages in order, the head last.

    The default tokenizer is regex, unless the next stage takes Text.
    """
    readings = []
    tokenizer = root.entries.get("tokenizer")
    for kind in SLOTS:
        given = root.entries.get(kind)
        if given is None or given.content is None:
            if kind == "tokenizer":
                readings.append(read_stage(Value("regex", root.place), kind, kind, faults))
            elif kind == "head" and "pipelines" not in root.entries:
                place = given.place if given is not None else root.place
                faults.append(place.fault("head", "a pipeline needs a head, such as 'head: logistic_regression'"))
        elif kind == "encoder" and isinstance(given.content, tuple):
            items = [(i, item) for i, item in enumerate(given.content) if item.content is not None]
            readings.extend(read_stage(item, kind, join(kind, i), faults) for i, item in items)
        else:
            readings.append(read_stage(given, kind, kind, faults))
    by_default = tokenizer is None or tokenizer.content is None
    if by_default and len(readings) > 1 and readings[1].stage is not None and readings[1].stage.takes is Text:
        del readings[0]
    return readings


def trainer_options() -> Mapping[str, Option]:
    """The options of the trainer that a file may set."""
    from nlpipe.training.trainer import Trainer

    return {name: option for name, option in options_of(Trainer).items() if option.plain}


def _read_trainer(root: Value, by_gradient: bool, faults: list[Fault]) -> dict[str, Any]:
    """The checked options of the trainer; with all defaults if the head learns ``by_gradient``."""
    given = root.entries.get("trainer")
    if given is None or given.content is None:
        given = Value({}, root.place)
    if not isinstance(given.content, dict):
        faults.append(given.place.fault("trainer", f"invalid value {given.plain()!r}: expected a mapping of options"))
        return {}
    if not by_gradient:
        if given.content:
            message = "this head learns without gradients and has no training to set: leave 'trainer' out"
            faults.append(root.keys["trainer"].fault("trainer", message))
        return {}
    options = trainer_options()
    values = {}
    for key, value in given.entries.items():
        if key not in options:
            message = f"the trainer has no option '{key}'{suggest(key, options)}"
            faults.append(given.keys[key].fault(join("trainer", key), message))
            continue
        before = len(faults)
        checked = check_plain(value, options[key], join("trainer", key), faults)
        if len(faults) == before:
            values[key] = checked
    for key, option in options.items() if by_gradient else ():
        if option.required and key not in given.entries:
            message = f"the trainer needs option '{key}' ({option.describe()})"
            faults.append(given.place.fault(join("trainer", key), message))
        elif key not in values:
            values[key] = option.default
    return {key: values[key] for key in options if key in values}
