"""One HTML file of a comparison: verdict, leaderboard, charts, and the items on which pipelines differ.

It holds its own style, script and data, and forbids the browser to request anything else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib import resources
from pathlib import Path
from typing import Any

from nlpipe.errors import NlpipeError
from nlpipe.files import read_json, whole_file
from nlpipe.registry import missing_extra
from nlpipe.report.disagreements import Disagreements, disagreements
from nlpipe.report.page_answers import Answers, answers_of, joined
from nlpipe.report.page_contents import Contents, Line
from nlpipe.report.page_features import top_features
from nlpipe.report.power_law import power_law
from nlpipe.runs.item_texts import texts_of
from nlpipe.runs.result import Result
from nlpipe.runs.score import read_predictions
from nlpipe.yaml_reader import read_yaml

MOST_LABELS = 20
"""Labels up to which a confusion matrix is drawn."""
SURROGATES = re.compile("[\ud800-\udfff]")


def write_page(contents: Contents, path: Path) -> Path:
    """Write the page of a comparison, whole or not at all.

    Raises:
        MissingExtra: Jinja2 is not installed.
        NlpipeError: the file cannot be written.
    """
    page = comparison_page(contents)
    with whole_file(path) as partial:
        partial.write_text(page, encoding="utf-8")
    return path


def comparison_page(contents: Contents) -> str:
    """The page; what cannot be read of a run is named on it and left out.

    Raises:
        MissingExtra: Jinja2 is not installed.
    """
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise missing_extra("a report", error) from None
    folder = resources.files("nlpipe.report")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((folder / "comparison.html").read_text(encoding="utf-8"))
    problems: list[str] = []
    lines = [line for line in contents.lines if line.last and line.results]
    answers = _answers(contents, lines, problems)
    if contents.data_problem:
        problems.append(contents.data_problem[0].upper() + contents.data_problem[1:])
    elif contents.slices is not None and contents.slices.problem:
        problems.append(f"Scores in slices are not shown: {contents.slices.problem}")
    data = {
        **_leaderboard(contents),
        "titles": [line.title for line in lines],
        "items": contents.items,
        "answered_by": "all folds" if contents.folds else "the first seed",
        "losses": _losses(contents.lines, problems),
        "laws": _laws(contents.lines),
        **_diagnosis(answers),
        "disagreements": _disagreements(contents, lines, answers, problems),
    }
    page = template.render(
        contents=contents, features=top_features(lines, problems), slices=contents.slices,
        style=_file("comparison.css"), script=_file("comparison.js"), data=embedded(data),
        chosen=next((line for line in contents.lines if line.chosen), None),
        warnings=_warnings(contents.lines, problems), problems=problems, files=_files(lines, problems),
        differences=_differences(lines, problems), made=_made(lines, problems), has=data,
    )  # fmt: skip
    return SURROGATES.sub("\ufffd", page)


def embedded(data: Any) -> str:
    """Data as JSON that no text in it can end or turn into HTML; numbers that are not finite are null."""
    text = json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _file(name: str) -> str:
    return (resources.files("nlpipe.report") / name).read_text(encoding="utf-8")


def _leaderboard(contents: Contents) -> dict[str, Any]:
    return {
        "primary": contents.primary, "digits": contents.digits, "higher": contents.higher_is_better,
        "tolerance": contents.tolerance, "curve": contents.curve,
        "costs": [asdict(cost) for cost in contents.costs],
        "rows": [
            {
                "name": line.name, "title": line.title, "size": line.train_size, "score": line.score, "low": line.low,
                "high": line.high, "costs": dict(line.costs), "chosen": line.chosen, "last": line.last,
                "examples": _examples(line),
            }
            for line in contents.lines if line.score is not None and math.isfinite(line.score)
        ],
    }  # fmt: skip


def _examples(line: Line) -> int | None:
    """The number of training examples; None where it is not known."""
    try:
        return line.results[0].environment["train_examples"] or line.train_size
    except NlpipeError:
        return line.train_size


def _laws(lines: Sequence[Line]) -> dict[str, list[tuple[float, float]]]:
    """The power law through the scores of each pipeline that was trained on three sizes or more."""
    points: dict[str, dict[int, float]] = {}
    for line in lines:
        size = _examples(line) if line.results else None
        if size is not None and line.score is not None and math.isfinite(line.score):
            points.setdefault(line.name, {})[size] = line.score
    laws = {name: power_law(list(each), list(each.values())) for name, each in points.items()}
    return {name: law for name, law in laws.items() if law}


def _answers(contents: Contents, lines: Sequence[Line], problems: list[str]) -> dict[str, Answers]:
    """The answers of each pipeline's first seed or of all folds, those alone that are to the same items and words."""
    every: dict[str, Answers] = {}
    first: Answers | None = None
    for line in lines:
        try:
            parts = [answers_of(result, contents.dev) for result in _runs(contents, line)]
        except NlpipeError as error:
            problems.append(f"{line.title}: its answers are not shown: {error}")
            continue
        known = [part for part in parts if part is not None]
        if not known or len(known) < len(parts):
            continue
        answers = joined(known)
        first = first or answers
        if answers.kind != first.kind or answers.words != first.words or answers.gold != first.gold:
            problems.append(
                f"{line.title}: its answers are not shown beside the others, as they are to other items, or it splits "
                "the texts into other words"
            )
            continue
        every[line.title] = answers
    return every


def _runs(contents: Contents, line: Line) -> tuple[Result, ...]:
    """The runs of a pipeline that together answer every item once."""
    return line.results[: contents.folds or 1]


def _disagreements(
    contents: Contents,
    lines: Sequence[Line],
    answers: Mapping[str, Answers],
    problems: list[str],
) -> dict[str, Any] | None:
    if len(answers) < 2:
        return None
    line = next(line for line in lines if line.title in answers)
    name = "predictions_dev.jsonl" if contents.dev else "predictions.jsonl"
    folders = [result.folder for result in _runs(contents, line)]
    records = [record for folder in folders for record in read_predictions(folder / name)]
    texts = texts_of(contents.dataset, records)
    if missing := sum(not text for text in texts):
        problems.append(f"{missing:,} texts are not shown, as they are not in the data as it is now.")
    found: Disagreements = disagreements(list(answers), list(answers.values()), texts)
    return asdict(found)


def _diagnosis(answers: Mapping[str, Answers]) -> dict[str, Any]:
    """Scores of each label or type, confusion matrices, calibration and risk-coverage curves."""
    groups = sorted({group.name for each in answers.values() for group in each.groups})
    gold = {group.name: group.gold for each in answers.values() for group in each.groups}
    order = sorted(groups, key=lambda name: (-gold[name], name))[:60]
    labels = sorted({label for each in answers.values() for pair in each.confusion for label in pair[:2]})
    return {
        "groups": [
            {"name": name, "gold": gold[name], "f1": {
                title: next((group.score for group in each.groups if group.name == name), 0.0)
                for title, each in answers.items()
            }}
            for name in order
        ],
        "groups_left_out": len(groups) - len(order),
        "labels": labels if len(labels) <= MOST_LABELS else [],
        "confusion": {title: each.confusion for title, each in answers.items() if each.confusion}
        if len(labels) <= MOST_LABELS else {},
        "calibration": {
            title: [asdict(each) for each in answer.calibration]
            for title, answer in answers.items() if answer.calibration
        },
        "coverage": {
            title: {"points": answer.coverage, "area": answer.risk_area}
            for title, answer in answers.items() if answer.coverage
        },
    }  # fmt: skip


def _losses(lines: Iterable[Line], problems: list[str]) -> list[dict[str, Any]]:
    """Loss and dev score of each epoch, of the first seed of what was trained by gradients."""
    found = []
    for line in lines:
        path = line.results[0].folder / "model" / "history.json" if line.results else None
        if path is None or not path.exists():
            continue
        try:
            record = read_json(path)
            epochs = [[epoch["epoch"], epoch["loss"], epoch["score"]] for epoch in record["epochs"]]
            found.append({"title": line.title, "metric": record.get("metric", "score"), "epochs": epochs})
        except (NlpipeError, KeyError, TypeError) as error:
            problems.append(f"{path}: the course of training is not shown: {error}")
    return found


def _warnings(lines: Iterable[Line], problems: list[str]) -> list[tuple[str, list[str]]]:
    """The warnings of the ledgers, each with the pipelines that gave it."""
    found: dict[str, list[str]] = {}
    for line in lines:
        for result in line.results:
            try:
                warnings = result.ledger["warnings"]
            except NlpipeError as error:
                problems.append(str(error))
                continue
            for warning in warnings:
                titles = found.setdefault(warning, [])
                if line.title not in titles:
                    titles.append(line.title)
    return list(found.items())


def _files(lines: Iterable[Line], problems: list[str]) -> list[tuple[str, str]]:
    """The resolved pipeline file of each pipeline; answers from elsewhere have none."""
    found = []
    for line in lines:
        path = line.results[0].folder / "pipeline.yaml"
        if path.exists():
            try:
                found.append((line.title, path.read_text(encoding="utf-8")))
            except (OSError, UnicodeDecodeError) as error:
                problems.append(f"{path}: {error}")
    return found


def _differences(lines: Sequence[Line], problems: list[str]) -> dict[str, Any]:
    """The options that are not the same in all pipeline files: names, and the values of each pipeline."""
    flat: dict[str, dict[str, str]] = {}
    for line in lines:
        path = line.results[0].folder / "pipeline.yaml"
        if path.exists():
            try:
                flat[line.title] = dict(_flat(read_yaml(path).plain()))
            except NlpipeError as error:
                problems.append(str(error))
    names = list(dict.fromkeys(name for options in flat.values() for name in options if name != "name"))
    differing = [name for name in names if len({options.get(name) for options in flat.values()}) > 1]
    return {"titles": list(flat), "rows": [(name, [flat[t].get(name, "") for t in flat]) for name in differing]}


def _flat(value: Any, place: str = "") -> Iterable[tuple[str, str]]:
    """``head.C`` to its value, of all options in a file."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
        for i, inner in enumerate(value):
            yield from _flat(inner, f"{place}[{i}]")
    else:
        yield place, json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value


def _made(lines: Sequence[Line], problems: list[str]) -> dict[str, str]:
    """What the runs were made with."""
    for line in lines:
        try:
            environment = line.results[0].environment
        except NlpipeError as error:
            problems.append(str(error))
            continue
        processor = environment["processor"]
        return {
            "finished": environment["finished"], "python": environment["python"],
            "platform": environment["platform"], "processor": f"{processor['name']}, {processor['cores']} cores",
            "nlpipe": environment["packages"].get("nlpipe", ""), "threads": str(environment["threads"]),
            "data digest": environment["data_digest"],
        }  # fmt: skip
    return {}
