"""``{predictions: FILE, name: …, costs: {…}}`` in a comparison: answers that something else gave to the test items.

FILE may also be the folder of a run, such as that of an export.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from nlpipe.errors import Fault, suggest
from nlpipe.options import Option, PositiveFloat
from nlpipe.spec.pipelines import read_plain, safe_name
from nlpipe.yaml_reader import no_such_file
from nlpipe.yaml_values import Value, join

KEY = "predictions"
KEYS = (KEY, "name", "costs")
OF_RUN = "predictions.jsonl"
"""The answers in the folder of a run, which may be named in place of the file; its costs are taken in too."""
CostName = Literal["latency_ms", "latency_mean_ms", "memory_mb", "model_mb", "fit_s", "price_per_1000"]
COSTS = {name: Option(name, PositiveFloat, None) for name in get_args(CostName)}
"""What a person can say that something costs, and by what the cheapest can be chosen."""


@dataclass(frozen=True)
class AnswersSpec:
    """Answers from elsewhere: a service, a large language model, another library.

    Args:
        file: with one answer for each test item; absolute.
        costs: what is known of them, in the units of their names; others are not known.
    """

    name: str
    file: str
    costs: dict[str, float] = field(default_factory=dict)


def is_answers(item: Value) -> bool:
    """Whether an item of ``pipelines:`` is a file of answers."""
    return isinstance(item.content, dict) and KEY in item.content


def read_answers(item: Value, key: str, faults: list[Fault]) -> AnswersSpec | None:
    """The item, or None and faults."""
    before = len(faults)
    for name in item.entries:
        if name not in KEYS:
            message = f"predictions from elsewhere have no key '{name}'{suggest(name, KEYS)}"
            faults.append(item.keys[name].fault(join(key, name), message))
    file = read_plain(item, Option(KEY, str, ""), faults, key)
    if isinstance(file, str) and file:
        path = (item.entries[KEY].place.folder(Path()) / Path(file).expanduser()).absolute()
        stem = path.stem if path.is_file() else path.name
        if path.is_dir():
            path = path / OF_RUN
        if not path.is_file():
            way = "; name a file, or the folder of a finished run" if path.name == OF_RUN else ""
            faults.append(item.entries[KEY].place.fault(join(key, KEY), f"{no_such_file(path)}{way}"))
        name = read_plain(item, Option("name", str, stem), faults, key)
    costs = read_costs(item, "costs", key, faults)
    if len(faults) > before:
        return None
    return AnswersSpec(safe_name(name), str(path), costs)


def read_costs(value: Value, name: str, key: str, faults: list[Fault]) -> dict[str, float]:
    """A mapping of costs to positive numbers."""
    given = value.entries.get(name)
    if given is None or given.content is None:
        return {}
    place = join(key, name) if key else name
    if not isinstance(given.content, dict):
        message = f"invalid value {given.plain()!r}: expected a mapping such as {{latency_ms: 20, memory_mb: 1500}}"
        faults.append(given.place.fault(place, message))
        return {}
    for cost in given.entries:
        if cost not in COSTS:
            what = "a budget has" if name == "budget" else "there is"
            faults.append(given.keys[cost].fault(join(place, cost), f"{what} no '{cost}'{suggest(cost, COSTS)}"))
    values = {cost: read_plain(given, option, faults, place) for cost, option in COSTS.items()}
    return {cost: number for cost, number in values.items() if number is not None}
