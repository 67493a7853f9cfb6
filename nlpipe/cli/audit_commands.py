"""Commands that look for faults in data: data audit."""

from __future__ import annotations

from typing import Annotated

import typer

from nlpipe.cli.terminal import make_console


def data_audit(
    name: Annotated[str, typer.Argument(metavar="CARD")],
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

    dataset = load_dataset(name)
    found = audit(dataset, threshold, label_errors)
    if as_json:
        typer.echo(json_text(found.record()))
    else:
        show_audit(found, contents_of(dataset), make_console())
