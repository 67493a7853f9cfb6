"""What differs between two folders of the same run: stage by stage, in the answers, the scores and the environment."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json
from nlpipe.pipeline.integrity import CASCADE, state_files
from nlpipe.pipeline.saving import read_keys
from nlpipe.runs.records import EnvironmentFile, MetricsFile

Verdict = Literal["equal", "within tolerance", "different"]
ORDER: tuple[Verdict, ...] = ("equal", "within tolerance", "different")


@dataclass(frozen=True)
class Part:
    """A part of a run, done twice.

    Args:
        name: a stage's slot and name, ``answers``, or ``scores``.
        what: what differs, in a few words; empty where nothing does.
    """

    name: str
    verdict: Verdict
    what: str = ""


@dataclass(frozen=True)
class _Gap:
    """A difference: of numbers by how much, relative to the larger of 1 and the first value; else infinite."""

    size: float
    what: str


def worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The worst one; ``equal`` where there is none."""
    return max(verdicts, key=ORDER.index, default="equal")


def stages(before: Path, after: Path, tolerance: float) -> list[Part]:
    """The stages of two saved models, in their order: options, and every file of their states."""
    manifests = [read_keys(folder) for folder in (before, after)]
    parts = []
    if CASCADE in manifests[0]:
        old, new = (manifest[CASCADE] for manifest in manifests)
        for member in old["members"]:
            parts += stages(before / member["folder"], after / member["folder"], tolerance)
        chosen = [each["thresholds"] | {"seconds": []} for each in (old, new)]  # which no two measurements give alike
        return [*parts, _part("thresholds", list(_gaps(chosen[0], chosen[1], "thresholds")), tolerance)]
    for position, (old, new) in enumerate(zip(*(manifest["stages"] for manifest in manifests), strict=True)):
        gaps = list(_gaps(old["stage"], new["stage"], "option"))
        prefix = f"{position}-"
        hashes = [manifest.get("files", {}) for manifest in manifests]
        names = {name for folder in (before, after) for name in state_files(folder) if name.startswith(prefix)}
        for name in sorted(names):
            if hashes[0].get(name, 0) != hashes[1].get(name, 1):
                gaps += _file_gaps(before / name, after / name)
        parts.append(_part(f"{old['slot']} {old['stage']['name']}", gaps, tolerance))
    return parts


def _part(name: str, gaps: Sequence[_Gap], tolerance: float) -> Part:
    if not gaps:
        return Part(name, "equal")
    worst = max(gaps, key=lambda gap: gap.size)
    return Part(name, "within tolerance" if worst.size <= tolerance else "different", worst.what)


def _file_gaps(before: Path, after: Path) -> Iterator[_Gap]:
    for here, other in ((before, "now"), (after, "before")):
        if not here.exists():
            yield _Gap(math.inf, f"{here.name} exists only {other}")
            return
    if before.suffix == ".json":
        yield from _gaps(read_json(before), read_json(after), before.name)
        return
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        old, new = load_file(before), load_file(after)
    except (SafetensorError, OSError) as error:
        raise NlpipeError(f"{before}: damaged: {error}") from None
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            yield _Gap(math.inf, f"'{name}' exists only {'before' if name in old else 'now'}")
        else:
            yield from _array_gaps(old[name], new[name], name)


def _array_gaps(old: np.ndarray, new: np.ndarray, name: str) -> Iterator[_Gap]:
    if old.shape != new.shape or old.dtype != new.dtype:
        yield _Gap(math.inf, f"'{name}' was {old.dtype} {old.shape} and is {new.dtype} {new.shape}")
    elif old.dtype.kind != "f":
        if unequal := int(np.sum(old != new)):
            yield _Gap(math.inf, f"{unequal:,} of {old.size:,} values of '{name}' differ")
    elif old.size:
        first, second = old.astype(np.float64), new.astype(np.float64)
        with np.errstate(invalid="ignore"):  # of two infinities, which are equal
            distance = np.abs(first - second) / np.maximum(1.0, np.abs(first))
        distance[(first == second) | (np.isnan(first) & np.isnan(second))] = 0.0
        largest = float(np.max(np.nan_to_num(distance, nan=np.inf)))
        if largest > 0:
            yield _Gap(largest, f"the largest difference in '{name}' is {largest:.1e}")


def _gaps(old: Any, new: Any, place: str) -> Iterator[_Gap]:
    """Differences of two JSON values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            if key not in old or key not in new:
                yield _Gap(math.inf, f"{place}: '{key}' exists only {'before' if key in old else 'now'}")
            else:
                yield from _gaps(old[key], new[key], f"{place}: {key}" if ":" not in place else f"{place}.{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for first, second in zip(old, new, strict=True):
            yield from _gaps(first, second, place)
    elif isinstance(old, float) and isinstance(new, float):
        if not (old == new or (math.isnan(old) and math.isnan(new))):
            size = abs(old - new) / max(1.0, abs(old))
            yield _Gap(size if math.isfinite(size) else math.inf, f"{place} was {old!r} and is {new!r}")
    elif old != new:
        yield _Gap(math.inf, f"{place} was {_short(old)} and is {_short(new)}")


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def answers(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]], tolerance: float) -> Part:
    """The lines of ``predictions.jsonl``: answers must be the same, scores and probabilities within the tolerance."""
    if len(before) != len(after):
        return Part("answers", "different", f"{len(before):,} examples were answered and {len(after):,} are")
    other = [
        number for number, (old, new) in enumerate(zip(before, after, strict=True), 1)
        if any(old.get(key) != new.get(key) for key in ("id", "gold", "predicted", "entities") if key in old)
    ]  # fmt: skip
    if other:
        return Part(
            "answers", "different", f"{len(other):,} of {len(before):,} answers, the first on line {other[0]:,}"
        )
    gaps = [gap for pair in zip(before, after, strict=True) for gap in _gaps(*pair, "answer")]
    return _part("answers", gaps, tolerance)


def scores(before: MetricsFile, after: MetricsFile, tolerance: float) -> Part:
    """Every score of the split that was answered; the primary one is named where it differs too much."""
    primary, old, new = before["primary"], before["scores"], after["scores"]
    gaps = [gap for name in old if name in new for gap in _gaps(float(old[name]), float(new[name]), name)]
    for name in sorted(old.keys() ^ new.keys()):
        gaps.append(_Gap(math.inf, f"'{name}' exists only {'before' if name in old else 'now'}"))
    of_primary = [gap for gap in gaps if gap.what.startswith(f"{primary} was ") and gap.size > tolerance]
    part = _part("scores", gaps, tolerance)
    return Part("scores", part.verdict, of_primary[0].what) if of_primary else part


def environments(before: EnvironmentFile, after: EnvironmentFile, trained: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each part of a run's environment that differs now.

    Args:
        trained: ``history.json`` of both, empty where nothing was trained by gradients.
    """
    lines = []
    for key in ("python", "platform", "threads"):
        lines += _line(key, before.get(key), after.get(key))
    for key in ("name", "cores", "flags"):
        lines += _line(f"processor {key}", before["processor"].get(key), after["processor"].get(key))
    for name, was, now in _entries(before["packages"], after["packages"]):
        lines += _line(name, was, now)
    for name, _, _ in _entries(before.get("files"), after.get("files")):
        lines.append(f"{name}: its content has changed")
    for name, _, _ in _entries(before.get("fingerprints"), after.get("fingerprints")):
        lines.append(f"code of {name}: it has changed")
    if before["source"] != after["source"]:
        lines.append("nlpipe's own code: it has changed")
    if all(trained):
        for key in ("device", "precision", "processes"):
            lines += _line(key, trained[0].get(key), trained[1].get(key))
    return lines


def _entries(old: Mapping[str, str] | None, new: Mapping[str, str] | None) -> list[tuple[str, Any, Any]]:
    """Name, value before and value now of the entries that differ; none where a folder does not have the table."""
    if old is None or new is None:
        return []
    names = sorted(old.keys() | new.keys())
    return [(name, old.get(name), new.get(name)) for name in names if old.get(name) != new.get(name)]


def _line(name: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    shown = (", ".join(map(str, value)) if isinstance(value, list) else value for value in (old, new))
    was, now = ("none" if value in (None, "") else value for value in shown)
    return [f"{name}: {was} then, {now} now"]
