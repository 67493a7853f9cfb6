"""A comparison: which pipelines, on which data, with which seeds and training sizes, within which budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Option, Positive, PositiveFloat, Seed
from nlpipe.spec.given_answers import AnswersSpec, CostName, is_answers, read_answers, read_costs
from nlpipe.spec.imports import KEY as IMPORT
from nlpipe.spec.imports import add_imports, read_imports
from nlpipe.spec.overrides import Override, apply
from nlpipe.spec.pipelines import Data, PipelineSpec, ordered, read_plain, safe_name
from nlpipe.spec.sources import Root, Source, item_root
from nlpipe.spec.tune import KEY as TUNE
from nlpipe.spec.tune import same_budget
from nlpipe.spec.vary import Expansion, expand
from nlpipe.yaml_values import Place, Value, from_plain, join

FIRST_SEED = 13
SEEDS = {"auto": 5, "quick": 3}
"""How many seeds these words stand for."""
OPTIONS = {
    "seeds": Option("seeds", Literal["auto", "quick"] | Annotated[int, Ge(1), Le(1000)] | list[Seed], "auto"),
    "train_sizes": Option("train_sizes", list[Positive | Literal["all"]], ["all"]),
    "tolerance": Option("tolerance", PositiveFloat | None, None),
    "cost": Option("cost", CostName, "latency_ms"),
    "price_per_cpu_hour": Option("price_per_cpu_hour", PositiveFloat | None, None),
    "choose": Option("choose", Literal["test", "dev"], "test"),
    "folds": Option("folds", Annotated[int, Ge(2), Le(100)] | None, None),
    "repeats": Option("repeats", Annotated[int, Ge(1), Le(100)], 1),
}
KEYS = ("compare", "description", "extend", IMPORT, "data", "pipelines", *OPTIONS, "budget", TUNE)
"""The keys of a comparison file."""


@dataclass(frozen=True)
class ComparisonSpec:
    """A checked comparison; all its pipelines have its data, and different names.

    Args:
        path: its file, or what stands for it in messages.
        seeds: of the pipelines that a seed changes; the others are run with the first one.
        train_sizes: numbers of examples to train on; ``all`` is the whole split.
        budget: name of a cost to what the chosen pipeline's may be at most.
        tolerance: the loss of the primary score that does not matter, in its unit; None for the default of the unit.
        cost: name of the cost by which the cheapest is chosen.
        left_out: combinations of a ``vary:`` that cannot work, and the reasons.
        imports: modules of the user's own; the ``imports`` of each pipeline contain them too.
        answers: predictions from elsewhere, which are compared with those of the pipelines.
        choose: the split that the verdict rests on; with dev, the test score of the chosen pipeline alone is told.
        folds: of a cross-validation instead of a test split; None for none.
        repeats: of the cross-validation, with other folds each.
        price_per_cpu_hour: what an hour of the processor costs, in any currency; None: prices are not computed.
    """

    title: str
    path: str = field(compare=False)
    data: Data
    pipelines: tuple[PipelineSpec, ...]
    seeds: tuple[int, ...] = (13,)
    train_sizes: tuple[int | Literal["all"], ...] = ("all",)
    budget: dict[str, float] = field(default_factory=dict)
    tolerance: float | None = None
    cost: str = "latency_ms"
    left_out: tuple[tuple[str, str], ...] = ()
    imports: tuple[str, ...] = ()
    answers: tuple[AnswersSpec, ...] = ()
    choose: Literal["test", "dev"] = "test"
    folds: int | None = None
    repeats: int = 1
    price_per_cpu_hour: float | None = None

    def __repr__(self) -> str:
        names = ", ".join(pipeline.name for pipeline in self.pipelines)
        return f"ComparisonSpec({self.title!r}: {names}; seeds {list(self.seeds)})"


def comparison_from(root: Root, overrides: Sequence[Override]) -> ComparisonSpec:
    """The comparison that ``root`` describes; overrides of other keys than its own go to each pipeline.

    Raises:
        SpecError: every fault of the comparison and of all its pipelines.
    """
    own = [override for override in overrides if override.path[0] in KEYS]
    others = [override for override in overrides if override.path[0] not in KEYS]
    value = apply(root.value, own)
    faults = [
        value.keys[key].fault(key, f"a comparison has no key '{key}'{suggest(key, KEYS)}")
        for key in value.entries
        if key not in KEYS
    ]
    imports = read_imports(value, faults)
    values = {name: read_plain(value, option, faults) for name, option in OPTIONS.items()}
    count = SEEDS.get(values["seeds"]) if isinstance(values["seeds"], str) else values["seeds"]
    if isinstance(count, int):
        values["seeds"] = list(range(FIRST_SEED, FIRST_SEED + count))
    for name in ("seeds", "train_sizes"):
        if not values[name] or len(set(values[name])) < len(values[name]):
            message = "a value is given twice; give each once" if values[name] else "the list is empty; give a value"
            faults.append(value.entries[name].place.fault(name, message))
    expansion, answers = _pipelines(value, others, imports, faults)
    expansion = replace(expansion, pipelines=same_budget(value, expansion.pipelines, faults))
    budget = read_costs(value, "budget", "", faults)
    title = read_plain(value, Option("compare", str, root.stem), faults)
    _check_split(value, values, answers, faults)
    read_plain(value, Option("description", str, ""), faults)
    _check_data(expansion.pipelines, value.place, faults)
    if faults:
        raise SpecError(ordered(faults, root.path))
    data = expansion.pipelines[0].data
    if "cost" not in value.entries and any(pipeline.members for pipeline in expansion.pipelines):
        values["cost"] = "latency_mean_ms"  # most texts of a cascade are cheap, so that the median leaves out its cost
    sizes, seeds = tuple(values["train_sizes"]), tuple(values["seeds"])
    return ComparisonSpec(
        title, root.path, data, expansion.pipelines, seeds, sizes, budget, values["tolerance"],
        values["cost"], expansion.left_out, imports, tuple(answers),
        values["choose"], values["folds"], values["repeats"], values["price_per_cpu_hour"],
    )  # fmt: skip


def _check_split(value: Value, values: dict[str, Any], answers: Sequence[AnswersSpec], faults: list[Fault]) -> None:
    """Add a fault for each thing that a verdict on dev, or a cross-validation, excludes."""
    if values["choose"] == "dev" and answers:
        message = "answers from elsewhere are to the test split, which is not looked at here; leave out choose: dev"
        faults.append(value.entries["choose"].place.fault("choose", message))
    if values["folds"] is None:
        if values["repeats"] > 1:
            faults.append(value.entries["repeats"].place.fault("repeats", "there are no folds to repeat; add folds: 5"))
        return
    place = value.entries["folds"].place
    if values["choose"] == "dev":
        faults.append(place.fault("folds", "folds take the place of dev and test; leave out choose: dev"))
    if answers:
        faults.append(place.fault("folds", "answers from elsewhere are to the test split; leave out folds"))


def comparison_of(sources: Sequence[Source]) -> Root:
    """A comparison of the given pipelines, without a comparison file."""
    value = from_plain({"pipelines": list(sources)}, Place("comparison"))
    return Root(value, "comparison", "comparison")


NAME_DATA = "name the data of the comparison, 'data: CARD' in its file or data=CARD on the command line"


def _check_data(pipelines: Sequence[PipelineSpec], place: Place, faults: list[Fault]) -> None:
    """Add a fault if the pipelines have different data."""
    other = next((pipeline for pipeline in pipelines if pipeline.data != pipelines[0].data), None)
    if other is not None:
        first = pipelines[0]
        message = f"'{first.name}' and '{other.name}' have different data ({_difference(first.data, other.data)})"
        faults.append(place.fault("data", f"{message}; {NAME_DATA}"))


def _difference(data: Data, other: Data) -> str:
    """The first key in which two data sets differ, with both values; else their names."""
    if isinstance(data, dict) and isinstance(other, dict):
        key = next(key for key in (*data, *other) if data.get(key) != other.get(key))
        return f"{key}: {_short(data.get(key))}, {_short(other.get(key))}"
    return f"{_short(data)}, {_short(other)}"


def _short(data: Any) -> str:
    """Data, or a part of it, in a few words."""
    files = data.get("train", data) if isinstance(data, dict) else data
    return "none" if files is None else str(files)[:200]


def _pipelines(
    value: Value, overrides: Sequence[Override], imports: Sequence[str], faults: list[Fault]
) -> tuple[Expansion, list[AnswersSpec]]:
    """The pipelines of all items of ``pipelines:``, and the files of answers among them."""
    given = value.entries.get("pipelines")
    if given is None or not isinstance(given.content, tuple) or not given.content:
        place = given.place if given is not None else value.place
        message = "a comparison needs a list of pipeline files, such as [a.yaml, b.yaml]"
        faults.append(place.fault("pipelines", message))
        return Expansion(()), []
    pipelines: list[PipelineSpec] = []
    left_out: list[tuple[str, str]] = []
    answers: list[AnswersSpec] = []
    names: set[str] = set()
    for i, item in enumerate(given.content):
        key = join("pipelines", i)
        if is_answers(item):
            if (read := read_answers(item, key, faults)) is not None:
                if read.name in names:
                    faults.append(item.place.fault(key, f"two rows are called '{read.name}'; give one a 'name:'"))
                names.add(read.name)
                answers.append(read)
            continue
        try:
            root = item_root(item, key, i + 1)
            if root.is_comparison:
                raise SpecError([Place(root.path).fault("", "this file is a comparison; compare it alone")])
            expansion = expand_root(root, overrides, imports, value.entries.get("data"))
        except SpecError as error:
            faults.extend(error.faults)
            continue
        left_out.extend(expansion.left_out)
        for pipeline in expansion.pipelines:
            if pipeline.name in names:
                message = f"two pipelines are called '{pipeline.name}'; give one of them a 'name:'"
                faults.append(item.place.fault(key, message))
            names.add(pipeline.name)
            pipelines.append(pipeline)
    if not pipelines and not faults:
        message = "there are answers from elsewhere alone; add a pipeline to compare them with"
        faults.append(given.place.fault("pipelines", message))
    return Expansion(tuple(pipelines), tuple(left_out)), answers


def expand_root(
    root: Root, overrides: Sequence[Override], imports: Sequence[str] = (), data: Value | None = None
) -> Expansion:
    """The pipelines that a file stands for; ``data`` replaces its own data.

    Raises:
        SpecError: every fault of the file.
    """
    value = add_imports(apply(root.value, overrides), imports)
    if data is not None and data.content is not None:
        value = value.put("data", data)
        vary = value.entries.get("vary")
        if vary is not None and isinstance(vary.content, dict):
            value = value.put("vary", vary.without("data"), value.keys["vary"])
    return expand(value, root.path, safe_name(root.stem))
