"""Commands about data sets: data list, data show, data fetch and export-items."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nlpipe.cli.terminal import make_console
from nlpipe.errors import NlpipeError


def data_list() -> None:
    """List the data sets that have a card."""
    from rich.table import Table

    from nlpipe.datasets.card_finder import card_names, find_card

    table = Table(box=None, header_style="italic", padding=(0, 2, 0, 0))
    for heading, width in (("card", None), ("task", None), ("what", None), ("licence", 12)):
        table.add_column(heading, no_wrap=heading == "card", max_width=width)
    for name in card_names():
        card = find_card(name).card
        table.add_row(name, card.task, card.title, card.licence)
    make_console().print(table)


def data_show(name: Annotated[str, typer.Argument(metavar="CARD")]) -> None:
    """Show a card as it is written."""
    from nlpipe.datasets.card_finder import find_card

    typer.echo(Path(find_card(name).place).read_text(encoding="utf-8"), nl=False)


def data_fetch(names: Annotated[list[str], typer.Argument(metavar="CARD...")]) -> None:
    """Fetch data sets into the cache and check them, so that later runs need no network."""
    from nlpipe.datasets.load import load_dataset

    for name in names:
        dataset = load_dataset(name)
        sizes = f"train {len(dataset.train):,}, dev {len(dataset.dev):,}, test {len(dataset.test):,}"
        typer.echo(f"{name}: {sizes}")


def export_items(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A comparison, a pipeline or a card.")],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="A file for the items; without it they are printed.")
    ] = None,
) -> None:
    """Write the test items without their answers, a line of JSON each, for something else to answer.

    Its answers, {"id": …, "predicted": …} a line, are a row of a comparison: {predictions: FILE, name: …}.
    """
    import json

    from nlpipe.compare.elsewhere import items_of
    from nlpipe.datasets.card_finder import card_names
    from nlpipe.datasets.load import load_dataset
    from nlpipe.files import whole_file
    from nlpipe.spec import data_of

    data = file if file in card_names() else data_of(file)
    if data is None:
        raise NlpipeError(f"{file}: it names no data, so that there are no test items")
    lines = [json.dumps(item, ensure_ascii=False) + "\n" for item in items_of(load_dataset(data).test.inputs)]
    if out is None:
        typer.echo("".join(lines), nl=False)
        return
    with whole_file(out) as partial:
        partial.write_text("".join(lines), encoding="utf-8")
    typer.echo(f"{len(lines):,} items: {out}")
