"""``cascade:`` in a pipeline file: other pipelines in a row, cheapest first, and the aim of their thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Gt, Lt

from nlpipe.capabilities import Margins, declares
from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Option, PositiveFloat
from nlpipe.pipeline.thresholds import MOST, Aim
from nlpipe.registry import slot
from nlpipe.spec.imports import KEY as IMPORT
from nlpipe.spec.imports import add_imports, read_imports
from nlpipe.spec.pipelines import (
    DESCRIPTION,
    SEED,
    TRAIN_SIZE,
    Built,
    PipelineSpec,
    read_data,
    read_name,
    read_optional_data,
    read_plain,
    safe_name,
)
from nlpipe.spec.pipelines import build as build_pipeline
from nlpipe.spec.sources import Root, item_root
from nlpipe.wire import Tags
from nlpipe.yaml_values import Value, from_plain, join

KEY = "cascade"
AIMS = {
    "within": Option("within", Annotated[float, Ge(0)] | None, None),
    "cost_ms": Option("cost_ms", PositiveFloat | None, None),
    "cost_share": Option("cost_share", Annotated[float, Gt(0), Lt(1)] | None, None),
}
"""What the thresholds can be fitted for."""
KEYS = ("name", "description", "extend", IMPORT, "data", KEY, *AIMS, "seed", "train_size", "vary")
"""The keys of a cascade file."""


def build(root: Value, path: str, name: str) -> Built:
    """The pipeline or the cascade that ``root`` describes; ``vary`` is ignored."""
    return build_cascade(root, path, name) if KEY in root.entries else build_pipeline(root, path, name)


def build_cascade(root: Value, path: str, name: str) -> Built:
    """The cascade that ``root`` describes."""
    faults: list[Fault] = []
    for key in root.entries:
        if key not in KEYS:
            hint = "; it belongs in the files of its members" if key in OF_MEMBERS else suggest(key, KEYS)
            faults.append(root.keys[key].fault(key, f"a cascade has no key '{key}'{hint}"))
    name = read_name(root, name, faults)
    imports = read_imports(root, faults)
    description = read_plain(root, DESCRIPTION, faults)
    data, task = read_optional_data(root, faults)
    seed, train_size = read_plain(root, SEED, faults), read_plain(root, TRAIN_SIZE, faults)
    aim = _read_aim(root, faults)
    members = _read_members(root, path, imports, faults)
    if faults:
        return Built(None, tuple(faults))
    place = root.entries[KEY].place
    if data is None:
        data = members[0].data
        other = next((each for each in members if each.data != data), None)
        if other is not None:
            message = (
                f"'{members[0].name}' and '{other.name}' have different data; name that of the cascade, data: CARD"
            )
            return Built(None, (place.fault(KEY, message),))
        if data is not None:
            _, task = read_data(from_plain(data, place))
    for member in members[:-1]:
        head = member.stages[-1]
        if declares(slot(head.slot).load(head.name), Margins):
            message = (
                f"'{member.name}' cannot pass on what it is not sure of: its head '{head.name}' gives no "
                "probabilities; put it last, or give it another head"
            )
            faults.append(place.fault(KEY, message))
    if task is not None and task.target is Tags:
        first = _tokenizer(members[0])
        for member in members[1:]:
            if _tokenizer(member) != first:
                message = (
                    f"'{members[0].name}' and '{member.name}' have different tokenizers; give them the same, so that "
                    "a text's tags are of the same words whoever answers"
                )
                faults.append(place.fault(KEY, message))
    if faults:
        return Built(None, tuple(faults))
    own = tuple(
        replace(each, data=data, seed=seed, train_size=each.train_size if train_size is None else train_size)
        for each in members
    )
    every = tuple(dict.fromkeys([*imports, *(module for member in own for module in member.imports)]))
    last = own[-1]
    return Built(
        PipelineSpec(
            name, path, data, last.stages, last.trainer, seed, description, every, train_size, members=own, aim=aim
        )
    )


OF_MEMBERS = ("tokenizer", "representation", "encoder", "head", "trainer", "tune")
"""Keys of the members' own files."""


def _read_aim(root: Value, faults: list[Fault]) -> Aim:
    values = {name: read_plain(root, option, faults) for name, option in AIMS.items()}
    given = [name for name, value in values.items() if value is not None]
    if len(given) != 1 and not any(fault.key in AIMS for fault in faults):
        place = root.entries[given[1]].place if given else root.entries[KEY].place
        what = f"both {given[0]} and {given[1]} are given" if given else "it is not said what the thresholds are for"
        message = (
            f"{what}; give one: 'within: 0.005' (score that may be lost to the last member), 'cost_ms: 5' (mean for a "
            "text), or 'cost_share: 0.5' (of the dearest member's)"
        )
        faults.append(place.fault(given[1] if given else KEY, message))
        return Aim()
    return Aim(**values)


def _read_members(root: Value, path: str, imports: Sequence[str], faults: list[Fault]) -> list[PipelineSpec]:
    given = root.entries[KEY]
    if not isinstance(given.content, tuple) or len(given.content) < 2:
        shown = "one pipeline" if isinstance(given.content, tuple) and given.content else repr(given.plain())
        message = f"expected a list of two pipelines or more, the cheapest first, such as [a.yaml, b.yaml], not {shown}"
        faults.append(given.place.fault(KEY, message))
        return []
    if len(given.content) > MOST:
        faults.append(given.place.fault(KEY, f"{len(given.content)} members are more than {MOST}"))
        return []
    members: list[PipelineSpec] = []
    for i, item in enumerate(given.content):
        key = join(KEY, i)
        try:
            member = item_root(item, key, i + 1)
        except SpecError as error:
            faults.extend(error.faults)
            continue
        if (refused := _not_a_member(member, path)) is not None:
            faults.append(item.place.fault(key, refused))
            continue
        value = add_imports(member.value, imports).without("tune")
        data = root.entries.get("data")
        if data is not None and data.content is not None:
            value = value.put("data", data)
        built = build_pipeline(value, member.path, safe_name(member.stem))
        faults.extend([*built.faults, *built.wiring])
        if built.spec is None:
            continue
        if built.spec.name in [each.name for each in members]:
            message = f"two members are called '{built.spec.name}'; give one of them a 'name:'"
            faults.append(item.place.fault(key, message))
        members.append(built.spec)
    return members


def _not_a_member(root: Root, path: str) -> str | None:
    """Why what a file holds cannot be a member; None where it can."""
    if root.is_comparison:
        return f"{root.path} is a comparison; a cascade is made of pipelines"
    if KEY in root.value.entries:
        if Path(root.path).exists() and Path(path).exists() and Path(root.path).samefile(path):
            return "the cascade names itself"
        return f"{root.path} is a cascade; name its members here"
    if "vary" in root.value.entries:
        return f"{root.path} stands for several pipelines (vary); name one"
    return None


def _tokenizer(spec: PipelineSpec) -> object:
    first = spec.stages[0]
    return first.resolved() if first.slot == "tokenizer" else None
