"""Read ``tune:`` of a pipeline file: every value that a search may try is checked against the option that takes it."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any

from annotated_types import Ge, Le

from nlpipe.errors import Fault, SpecError, suggest
from nlpipe.options import Option, Positive
from nlpipe.registry import names_used
from nlpipe.spec.overrides import Part, key_path, put
from nlpipe.spec.pipelines import SLOTS, Built, PipelineSpec, build, read_plain
from nlpipe.spec.search_space import DEFAULT_TRIALS, Axis, Choices, Range, Tuning
from nlpipe.yaml_values import Place, Value, from_plain, join

KEY = "tune"
TRIALS = Option("trials", Positive, DEFAULT_TRIALS)
FOLDS = Option("folds", Annotated[int, Ge(2), Le(100)] | None, None)
BUDGET = (TRIALS.name, FOLDS.name)
"""The keys of ``tune:`` that say how much is tried, and not what."""
SEARCHED = (*SLOTS, "trainer")
"""The keys of a pipeline whose values can be searched."""
SCALES = ("log", "linear", "int")
"""What can stand after the two ends of a range."""


def read_tuning(root: Value, path: str, name: str, faults: list[Fault]) -> Tuning | None:
    """The search that ``tune:`` of a pipeline describes; None if there is none or it has faults.

    Args:
        root: the pipeline, without ``vary:``.
        faults: those of ``tune:`` are added.
    """
    given = root.entries.get(KEY)
    if given is None or given.content is None:
        return None
    if not isinstance(given.content, dict):
        message = (
            f"invalid value {given.plain()!r}: expected a mapping, such as {{trials: 20, head.C: [0.01, 100, log]}}"
        )
        faults.append(given.place.fault(KEY, message))
        return None
    before = len(faults)
    trials, folds = read_plain(given, TRIALS, faults, KEY), read_plain(given, FOLDS, faults, KEY)
    root = root.without(KEY)
    known = set(build(root, path, name).faults)
    axes: list[Axis] = []
    for key, place, value in _searched(given):
        inner = join(KEY, key)
        parts = key_path(key)
        if parts is None or parts[0] not in SEARCHED:
            hint = suggest(key, [*SEARCHED, *BUDGET])
            faults.append(place.fault(inner, f"'{key}' is not an option that can be searched{hint}"))
            continue
        if (axis := _axis(root, parts, inner, place, value, path, known, faults)) is not None:
            axes.append(axis)
    faults.extend(_overlaps(given, axes))
    if not axes and len(faults) == before:
        message = "nothing to search: name an option and its values, such as head.C: [0.01, 100, log]"
        faults.append(given.place.fault(KEY, message))
    return Tuning(tuple(axes), trials, folds) if len(faults) == before else None


def same_budget(root: Value, pipelines: Sequence[PipelineSpec], faults: list[Fault]) -> tuple[PipelineSpec, ...]:
    """The pipelines of a comparison, each that is tuned with the same number of trials, scored in as many folds.

    The numbers are those of ``tune: {trials: N, folds: K}`` of the comparison, or else the pipelines' largest.

    Args:
        root: the comparison; faults of its ``tune:`` are added to ``faults``.
    """
    own = [spec.tune for spec in pipelines if spec.tune is not None]
    trials = max((tuning.trials for tuning in own), default=DEFAULT_TRIALS)
    folds = max((tuning.folds for tuning in own if tuning.folds is not None), default=None)
    given = root.entries.get(KEY)
    if given is not None and given.content is not None:
        if not isinstance(given.content, dict):
            message = f"invalid value {given.plain()!r}: expected a mapping, such as {{trials: 20}}"
            faults.append(given.place.fault(KEY, message))
            return tuple(pipelines)
        for key in given.entries:
            if key not in BUDGET:
                message = f"a comparison sets 'trials' and 'folds' alone; '{key}' belongs under 'tune' of a pipeline"
                faults.append(given.keys[key].fault(join(KEY, key), message))
        if TRIALS.name in given.entries:
            trials = read_plain(given, TRIALS, faults, KEY)
        if FOLDS.name in given.entries:
            folds = read_plain(given, FOLDS, faults, KEY)
    return tuple(
        spec if spec.tune is None else replace(spec, tune=replace(spec.tune, trials=trials, folds=folds))
        for spec in pipelines
    )


def _searched(given: Value, key: str = "") -> Iterator[tuple[str, Place, Value]]:
    """Key path, place and value of each option; ``head: {C: …}`` is the same as ``head.C: …``."""
    for name, value in given.entries.items():
        inner = join(key, name)
        if inner in BUDGET:
            continue
        if isinstance(value.content, dict):
            yield from _searched(value, inner)
        else:
            yield inner, given.keys[name], value


def _axis(
    root: Value,
    parts: tuple[Part, ...],
    key: str,
    place: Place,
    value: Value,
    path: str,
    known: set[Fault],
    faults: list[Fault],
) -> Axis | None:
    """The values of one option; None if there are faults, which are added to ``faults``."""
    items = value.content
    if not isinstance(items, tuple) or len(items) < 2:
        message = f"invalid value {value.plain()!r}: expected a range such as [0.01, 100, log], or a list of choices"
        faults.append(value.place.fault(key, message))
        return None
    ends, scale = items[:2], items[2].content if len(items) == 3 else None
    is_range = scale in SCALES and all(_is_number(end.content) for end in ends)
    tried = ends if is_range else items
    found = [_faults_of(root, parts, item, path, known) for item in tried]
    if all(found) and len({tuple(fault.message for fault in each) for each in found}) == 1:
        faults.extend(place.fault(key, fault.message) for fault in found[0])  # the key is wrong, not its values
        return None
    if any(found):
        hint = ""
        if not is_range and len(items) == 3 and isinstance(scale, str):
            near = difflib.get_close_matches(scale, SCALES, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else ""
        for item, each in zip(tried, found, strict=True):
            faults.extend(
                replace(fault, key=key, message=fault.message + (hint if item is items[-1] else "")) for fault in each
            )
        return None
    if is_range:
        domain = _range(root, parts, key, value, path, known, faults)
        return Axis(parts, domain) if domain is not None else None
    plain = [item.plain() for item in items]
    for i, item in enumerate(items):
        if plain[i] in plain[:i] and type(plain[i]) is type(plain[plain.index(plain[i])]):
            faults.append(item.place.fault(key, f"the value {plain[i]!r} is given twice"))
            return None
    return Axis(parts, Choices(tuple(plain)))


def _range(
    root: Value, parts: tuple[Part, ...], key: str, value: Value, path: str, known: set[Fault], faults: list[Fault]
) -> Range | None:
    low, high, scale = (item.content for item in value.content)  # type: ignore[union-attr]
    assert isinstance(low, int | float)
    assert isinstance(high, int | float)
    message = ""
    whole = isinstance(low, int) and isinstance(high, int)
    if low >= high:
        message = f"the range ends at {high:g}, which is not above its start {low:g}"
    elif scale == "log" and low <= 0:
        message = f"a range with 'log' starts above 0, not at {low:g}"
    elif scale == "int" and not whole:
        message = f"a range with 'int' needs integers as its ends, not {low:g} and {high:g}"
    if message:
        faults.append(value.place.fault(key, message))
        return None
    between = Value(int(low) + 0.5, value.place)
    integers = scale == "int" or (whole and bool(_faults_of(root, parts, between, path, known)))
    return Range(low, high, "log" if scale == "log" else "linear", integers)


def _is_number(content: Any) -> bool:
    return isinstance(content, int | float) and not isinstance(content, bool)


def _faults_of(root: Value, parts: Sequence[Part], value: Value, path: str, known: set[Fault]) -> list[Fault]:
    """What is wrong with the pipeline if an option has ``value`` that is not wrong without it."""
    try:
        built = _varied(root, [(parts, value)], path, "pipeline")
    except SpecError as error:
        return list(error.faults)
    return [fault for fault in built.faults if fault not in known]


def _varied(root: Value, settings: Sequence[tuple[Sequence[Part], Value]], path: str, name: str) -> Built:
    """``root`` with ``settings``; the trainer is left out where the head that they choose has no use for it."""
    for parts, value in settings:
        root = put(root, parts, value)
    built = build(root, path, name)
    if built.faults and all(fault.key == "trainer" for fault in built.faults):
        return build(root.without("trainer"), path, name)
    return built


def _overlaps(given: Value, axes: Sequence[Axis]) -> Iterator[Fault]:
    """Two options of which one is part of the other."""
    for axis in axes:
        for other in axes:
            if axis is not other and axis.path == other.path[: len(axis.path)]:
                message = f"'{other.key}' is part of '{axis.key}', which is searched too: search one of them"
                place = given.keys.get(other.key, given.place)
                yield place.fault(join(KEY, other.key), message)


def with_settings(spec: PipelineSpec, settings: Mapping[str, Any]) -> PipelineSpec:
    """``spec`` with the values of ``settings``, and nothing left to search.

    Args:
        settings: plain values by the key path of the option that takes them.

    Raises:
        SpecError: the values do not fit together.
    """
    root = from_plain(spec.resolved(), Place(spec.path))
    values = [(key_path(key) or (key,), from_plain(value, Place(spec.path))) for key, value in settings.items()]
    built = _varied(root, values, spec.path, spec.name)
    if built.spec is None:
        raise SpecError([*built.faults, *built.wiring])
    return built.spec


def own_settings(spec: PipelineSpec, tuning: Tuning) -> dict[str, Any] | None:
    """The file's own values of the searched options, by key path; None if one is not among those to search.

    The bare name of a stage stands for the stage with its defaults, which is not that of a file that sets an option.
    """
    settings: dict[str, Any] = {}
    for axis in tuning.axes:
        value: Any = spec.resolved()
        for part in axis.path:
            if isinstance(value, list) and len(value) == 1 and not isinstance(part, int):
                value = value[0]
            try:
                value = value[part]
            except (KeyError, IndexError, TypeError):
                return None
        named = isinstance(value, dict) and value.get("name") in _names(axis)
        value = value["name"] if named else value
        if value not in axis.domain:
            return None
        if isinstance(axis.domain, Choices):
            value = axis.domain.values[axis.domain.values.index(value)]  # spelled as it is there: 1, not 1.0
        settings[axis.key] = value
    try:
        return settings if with_settings(spec, settings) == spec else None
    except SpecError:
        return None


def names_to_try(spec: PipelineSpec) -> set[tuple[str, str]]:
    """Slot and name of the stages that only a search tries, nested ones too."""
    names: set[tuple[str, str]] = set()
    for axis in spec.tune.axes if spec.tune is not None else ():
        for value in axis.domain.values if isinstance(axis.domain, Choices) else ():
            with contextlib.suppress(SpecError):  # it fits other values of other options alone
                chosen = with_settings(spec, {axis.key: value})
                names |= {name for stage in chosen.stages for name in names_used(stage.slot, stage.resolved())}
    return names


def _names(axis: Axis) -> list[Any]:
    """The bare names of stages among the choices of ``axis``."""
    return [value for value in axis.domain.values if isinstance(value, str)] if isinstance(axis.domain, Choices) else []
