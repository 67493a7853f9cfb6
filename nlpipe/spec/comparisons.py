"""A comparison file: which pipelines, on which data, with which seeds and training sizes, within which budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Fraction, Option, Positive, PositiveFloat
from nlpipe.spec.overrides import Override, apply, read_extended
from nlpipe.spec.pipelines import PipelineSpec, Seed, WiresOf, file_name, ordered, read_imports, read_plain
from nlpipe.spec.vary import Expansion, expand
from nlpipe.spec.yaml_reader import Place, Value, join, no_such_file

OPTIONS = {
    "seeds": Option("seeds", list[Seed], [13]),
    "train_sizes": Option("train_sizes", list[Positive | Literal["all"]], ["all"]),
    "tolerance": Option("tolerance", Fraction, 0.01),
}
BUDGET = {name: Option(name, PositiveFloat, None) for name in ("latency_ms", "memory_mb")}
KEYS = ("compare", "description", "extend", "import", "data", "pipelines", *OPTIONS, "budget")
"""The keys of a comparison file."""


@dataclass(frozen=True)
class Budget:
    """What a chosen pipeline may cost; None where there is no bound."""

    latency_ms: float | None = None
    memory_mb: float | None = None


@dataclass(frozen=True)
class ComparisonSpec:
    """A checked comparison; its pipelines all have its data, and names of their own.

    Args:
        train_sizes: examples to train on, ``all`` for the whole split.
        tolerance: the loss of the primary score that does not matter.
        left_out: combinations of a ``vary:`` that cannot work, and why.
    """

    title: str
    path: str
    data: str | dict[str, Any] | None
    pipelines: tuple[PipelineSpec, ...]
    seeds: tuple[int, ...] = (13,)
    train_sizes: tuple[int | Literal["all"], ...] = ("all",)
    budget: Budget = field(default_factory=Budget)
    tolerance: float = 0.01
    left_out: tuple[tuple[str, str], ...] = ()


def split_overrides(overrides: Sequence[Override]) -> tuple[list[Override], list[Override]]:
    """Those for the comparison itself, and those for each of its pipelines."""
    own = [override for override in overrides if override.path[0] in KEYS]
    return own, [override for override in overrides if override.path[0] not in KEYS]


def read(path: Path, overrides: Sequence[Override], wires: WiresOf | None) -> ComparisonSpec:
    """The comparison in a file.

    Raises:
        SpecError: every fault of the file and of all its pipelines.
    """
    own, others = split_overrides(overrides)
    root = apply(read_extended(path), own)
    return build(root, path, others, wires)


def build(root: Value, path: Path, overrides: Sequence[Override], wires: WiresOf | None) -> ComparisonSpec:
    """The comparison ``root`` describes; its pipelines' files are looked for beside ``path``."""
    faults: list[Fault] = []
    if "head" in root.entries and "pipelines" not in root.entries:
        message = "this file is a pipeline (it has 'head'), not a comparison"
        raise SpecError([root.keys["head"].fault("head", message)])
    for key in root.entries:
        if key not in KEYS:
            faults.append(root.keys[key].fault(key, f"a comparison has no key '{key}'{suggest(key, KEYS)}"))
    read_imports(root, faults)
    values = {name: read_plain(root, option, faults) for name, option in OPTIONS.items()}
    for name in ("seeds", "train_sizes"):
        if not values[name] or len(set(values[name])) < len(values[name]):
            what = "stands twice" if values[name] else "is missing: the list is empty"
            faults.append(root.entries[name].place.fault(name, f"a value {what}; give each once"))
    expansion = _pipelines(root, path, overrides, wires, faults)
    budget = _budget(root, faults)
    title = read_plain(root, Option("compare", str, path.stem), faults)
    read_plain(root, Option("description", str, ""), faults)
    data = expansion.pipelines[0].data if expansion.pipelines else None
    if any(pipeline.data != data for pipeline in expansion.pipelines):
        message = "the pipelines name different data; say here which all of them are compared on"
        faults.append(root.place.fault("data", message))
    if faults:
        raise SpecError(ordered(faults, str(path)))
    sizes, seeds = tuple(values["train_sizes"]), tuple(values["seeds"])
    pipelines, left_out = expansion.pipelines, expansion.left_out
    return ComparisonSpec(title, str(path), data, pipelines, seeds, sizes, budget, values["tolerance"], left_out)


def _budget(root: Value, faults: list[Fault]) -> Budget:
    given = root.entries.get("budget")
    if given is None or given.content is None:
        return Budget()
    if not isinstance(given.content, dict):
        message = f"this is a mapping such as {{latency_ms: 20, memory_mb: 1500}}, not {given.plain()!r}"
        faults.append(given.place.fault("budget", message))
        return Budget()
    for key in given.entries:
        if key not in BUDGET:
            message = f"a budget has no '{key}'{suggest(key, BUDGET)}"
            faults.append(given.keys[key].fault(join("budget", key), message))
    return Budget(**{name: read_plain(given, option, faults, "budget") for name, option in BUDGET.items()})


def _pipelines(
    root: Value, path: Path, overrides: Sequence[Override], wires: WiresOf | None, faults: list[Fault]
) -> Expansion:
    given = root.entries.get("pipelines")
    files = given.content if given is not None else None
    if not isinstance(files, tuple) or not files:
        place = given.place if given is not None else root.place
        faults.append(place.fault("pipelines", "a comparison needs a list of pipeline files, such as [a.yaml, b.yaml]"))
        return Expansion(())
    pipelines: list[PipelineSpec] = []
    left_out: list[tuple[str, str]] = []
    seen: dict[str, Place] = {}
    for i, item in enumerate(files):
        key = join("pipelines", i)
        if not isinstance(item.content, str):
            faults.append(item.place.fault(key, f"this is the path of a pipeline file, not {item.plain()!r}"))
            continue
        file = path.parent / item.content
        if not file.is_file():
            faults.append(item.place.fault(key, no_such_file(file)))
            continue
        try:
            expansion = read_expansion(file, overrides, wires, root.entries.get("data"))
        except SpecError as error:
            faults.extend(error.faults)
            continue
        left_out.extend(expansion.left_out)
        for pipeline in expansion.pipelines:
            if pipeline.name in seen:
                message = f"two pipelines are called '{pipeline.name}'; give one of them a 'name:'"
                faults.append(item.place.fault(key, message))
            seen[pipeline.name] = item.place
            pipelines.append(pipeline)
    return Expansion(tuple(pipelines), tuple(left_out))


def read_expansion(
    path: Path, overrides: Sequence[Override], wires: WiresOf | None, data: Value | None = None
) -> Expansion:
    """The pipelines of one file; ``data`` takes the place of its own.

    Raises:
        SpecError: every fault in it.
    """
    root = apply(read_extended(path), overrides)
    if data is not None and data.content is not None:
        root = root.put("data", data)
        vary = root.entries.get("vary")
        if vary is not None and isinstance(vary.content, dict):
            root = root.put("vary", vary.without("data"), root.keys["vary"])
    return expand(root, str(path), file_name(path), wires)


def of_files(
    paths: Sequence[Path], overrides: Sequence[Override], wires: WiresOf | None, title: str = "comparison"
) -> ComparisonSpec:
    """A comparison of pipeline files that no comparison file lists.

    Raises:
        SpecError: every fault of all of them.
    """
    place = Place("command line")
    files = tuple(Value(str(Path(path).resolve()), place) for path in paths)
    root = Value({"pipelines": Value(files, place)}, place, {"pipelines": place})
    own, others = split_overrides(overrides)
    spec = build(apply(root, own), Path(), others, wires)
    names = {str(Path(path).resolve()): str(path) for path in paths}
    pipelines = tuple(replace(pipeline, path=names[pipeline.path]) for pipeline in spec.pipelines)
    return replace(spec, title=title, path="", pipelines=pipelines)
