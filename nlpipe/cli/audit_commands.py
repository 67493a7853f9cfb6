"""Commands that look for faults in data: data audit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nlpipe.cli.terminal import make_console
from nlpipe.errors import NlpipeError


def data_audit(
    name: Annotated[str, typer.Argument(metavar="CARD", help="A card, or a pipeline or comparison that names data.")],
    as_json: Annotated[bool, typer.Option("--json", help="Everything that was found, as JSON.")] = False,
    threshold: Annotated[
        float, typer.Option(help="Jaccard similarity from which two texts are near duplicates.")
    ] = 0.8,
    label_errors: Annotated[
        bool, typer.Option("--label-errors/--no-label-errors", help="Whether to look for likely label errors.")
    ] = True,
) -> None:
    """Look for duplicates, leakage, conflicting or unlikely labels, rare classes and unusual lengths."""
    from nlpipe.audit import audit
    from nlpipe.audit.contents import contents_of
    from nlpipe.cli.audit_report import show_audit
    from nlpipe.datasets.load import load_dataset
    from nlpipe.json_reader import json_text

    dataset = load_dataset(_data_of(name))
    result = audit(dataset, threshold, label_errors)
    if as_json:
        typer.echo(json_text(result.record()))
    else:
        show_audit(result, contents_of(dataset), make_console())


def _data_of(name: str) -> str | dict[str, Any]:
    """What ``name`` stands for: a card, or the data of a pipeline or comparison file.

    Raises:
        NlpipeError: the file has faults, or names no data.
    """
    from nlpipe.spec import read_comparison
    from nlpipe.yaml_reader import read_yaml

    path = Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        return name
    if not {"pipelines", "head", "vary", "extend"} & set(read_yaml(path).entries):
        return name
    data = read_comparison(name).data
    if data is None:
        raise NlpipeError(f"{name}: it names no data")
    return data
