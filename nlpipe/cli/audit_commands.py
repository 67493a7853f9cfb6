"""Commands that look for faults: of a data set (data audit), and for training text in what a model writes (audit)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, import_modules
from nlpipe.cli.terminal import PLAIN, make_console
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


def model_audit(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, of a language model.")],
    samples: Annotated[int, typer.Option(help="Texts that are drawn, and prefixes that are continued.")] = 100,
    max_new_tokens: Annotated[int, typer.Option(help="Tokens of each, at most.")] = 100,
    length: Annotated[
        int | None,
        typer.Option(help="Tokens in a row that count as repeated; by default those of 10 words, at most 50."),
    ] = None,
    context: Annotated[int | None, typer.Option(help="Tokens of a prefix; by default as --length.")] = None,
    seed: Annotated[int, typer.Option(help="Of the random numbers.")] = 13,
    as_json: Annotated[bool, typer.Option("--json", help="All of it, as JSON; personal data is masked too.")] = False,
    imports: Imports = None,
) -> None:
    """Show how much training text a language model repeats, beside held-out text, and the personal data in it."""
    from nlpipe.audit.memorisation import Sampling
    from nlpipe.cli.memorisation_report import show_model_audit
    from nlpipe.json_reader import json_text
    from nlpipe.runs.model_audit import audit_run

    import_modules(imports)
    try:
        how = Sampling(samples, max_new_tokens, length, context, seed)
    except NlpipeError as error:
        name, colon, rest = str(error).partition(":")
        raise NlpipeError(f"--{name.replace('_', '-')}{colon}{rest}") from None
    progress = make_console(stderr=True)
    found = audit_run(run_folder, how, lambda text: progress.print(text, **PLAIN))
    if as_json:
        typer.echo(json_text(found.record()))
    else:
        show_model_audit(found, make_console())
