"""The command line: each command is a few lines over the Python interface, and imports what it needs when it runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nlpipe.errors import NlpipeError

if TYPE_CHECKING:
    from nlpipe.compare.comparison import Comparison
    from nlpipe.runner import Result

app = typer.Typer(
    name="nlpipe",
    help="Declare NLP pipelines in YAML, compare them fairly, use the one you choose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
data_app = typer.Typer(help="Data sets: list their cards, show one, fetch it.", no_args_is_help=True)
app.add_typer(data_app, name="data")

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="A pipeline file (YAML).")]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(metavar="[KEY=VALUE]...", help="Changes to the file, such as head.C=2 or data=imdb."),
]
Out = Annotated[Path, typer.Option("--out", help="The folder that run folders are written into.")]


@app.command()
def run(
    file: FileArgument,
    overrides: Overrides = None,
    out: Out = Path("runs"),
    seed: Annotated[int | None, typer.Option(help="Instead of the seed in the file.", min=0)] = None,
    again: Annotated[bool, typer.Option("--again", help="Run it even if it has been run before.")] = False,
) -> None:
    """Fit a pipeline, score it on the test split, and leave a folder with all there is to know; prints that folder."""
    from rich.console import Console

    from nlpipe.api import base_of, data_of, find_file, wires_of
    from nlpipe.datasets.load import load_dataset
    from nlpipe.runner import run as run_pipeline
    from nlpipe.spec import read_pipelines
    from nlpipe.training.device import rank

    console = Console(stderr=True, quiet=rank() > 0)
    file = find_file(file)
    expansion = read_pipelines(file, overrides or [], wires_of(file.parent))
    for name, why in expansion.left_out:
        console.print(f"left out: {name}: {why}", highlight=False, markup=False)
    for spec in expansion.pipelines:

        def report(text: str, name: str = spec.name) -> None:
            console.print(f"{name}: {text}", highlight=False, markup=False, soft_wrap=True)

        dataset = load_dataset(data_of(spec), base_of(spec))
        result = run_pipeline(spec, dataset, out, seed, again=again, report=report)
        if rank() == 0:
            _show_result(console, result)
            typer.echo(result.folder)


def _show_result(console: Any, result: Result) -> None:
    from rich.table import Table

    from nlpipe.compare.table import SECONDARY

    scores, found, primary = result.metrics["scores"], result.costs, result.metrics["primary"]
    table = Table(show_header=False, box=None, padding=(0, 2))
    told = f"on {result.metrics['split']}; {result.metrics['dev'][primary]:.4f} on dev"
    table.add_row(primary, f"{scores[primary]:.4f}", told, style="bold")
    for name in SECONDARY:
        if name in scores and name != primary:
            table.add_row(name, f"{scores[name]:.4f}", "")
    table.add_row("fit", f"{found['fit_seconds']:.1f} s", "learning, without reading the data")
    table.add_row("latency", f"{found['latency_p50_seconds'] * 1000:.1f} ms", "one text, median, in a fresh process")
    table.add_row("speed", f"{found['texts_per_second']:,.0f}/s", f"in batches, {found['threads']} threads")
    table.add_row("memory", f"{found['peak_memory_bytes'] / 1e6:,.0f} MB", "peak of that process")
    table.add_row("model", f"{found['model_bytes'] / 1e6:,.1f} MB", "on disk")
    console.print(table)
    for warning in result.ledger.get("warnings", []):
        console.print(f"warning: {warning}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def compare(
    files: Annotated[list[str], typer.Argument(metavar="FILE... [KEY=VALUE]...", help="A comparison, or pipelines.")],
    out: Out = Path("runs"),
    jobs: Annotated[int, typer.Option("--jobs", help="Runs at a time; they share the processor.", min=1)] = 1,
) -> None:
    """Run several pipelines on the same data with the same seeds, and set their scores and costs side by side."""
    from rich.console import Console

    from nlpipe.api import read_comparison
    from nlpipe.compare.comparison import compare as run_comparison
    from nlpipe.compare.table import alike, failures, terminal

    console = Console(stderr=True)
    paths = [Path(item) for item in files if "=" not in item]
    overrides = [item for item in files if "=" in item]
    spec = read_comparison(paths, overrides)
    for name, why in spec.left_out:
        console.print(f"left out: {name}: {why}", highlight=False, markup=False)
    total = len(spec.pipelines) * len(spec.seeds) * len(spec.train_sizes)
    with console.status(f"0 of {total}: starting") as status:
        counted = 0

        def report(job: Any, text: str) -> None:
            if console.is_terminal:
                status.update(f"{counted} of {total} done; {job}: {text}")

        def ended(outcome: Any) -> None:
            nonlocal counted
            counted += 1
            if outcome.result is None:
                said = f"failed: {outcome.error}"
            else:
                said = f"{outcome.result.metrics['primary']} {outcome.result.score:.3f}"
                said += f", {outcome.result.costs['fit_seconds']:.1f} s to fit"
            console.print(f"[{counted}/{total}] {outcome.job}: {said}", highlight=False, markup=False)

        comparison = run_comparison(spec, out, jobs, report, ended)
    output = Console()
    if not output.is_terminal:
        output.width = 240
    output.print(terminal(comparison, output))
    if said := alike(comparison):
        output.print(said, highlight=False, markup=False, soft_wrap=True)
    for line in failures(comparison):
        output.print(f"failed: {line}", highlight=False, markup=False, soft_wrap=True)
    _show_next(output, comparison)
    if comparison.best is None:
        raise NlpipeError("every run failed; the reasons are above")


def _show_next(output: Any, comparison: Comparison) -> None:
    command = sys.argv[0] if Path(sys.argv[0]).name == "nlpipe" else "nlpipe"
    output.print(f"table: {comparison.folder / 'table.md'}", highlight=False, markup=False, soft_wrap=True)
    if comparison.best is not None:
        best = comparison.best.results[0]  # of the first seed: choosing among seeds by the test score would flatter
        text = "a text to try it on"
        output.print(f"best:  {comparison.best.name}, saved in {best.folder}; try it:", highlight=False, soft_wrap=True)
        output.print(f'  {command} predict {best.folder} "{text}"', highlight=False, markup=False, soft_wrap=True)


@app.command()
def predict(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved model's.")],
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts to answer.")] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Texts, one a line, or JSON Lines; - for stdin.")] = None,
    form: Annotated[str, typer.Option("--format", help="text, jsonl, or html (entities marked).")] = "text",
    given: Annotated[str | None, typer.Option("--input", help="text or jsonl; by the file's ending.")] = None,
    field: Annotated[str, typer.Option(help="Which field of a JSON Lines input is the text.")] = "text",
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="OPTION=VALUE", help="Search otherwise, such as beam=10.")
    ] = None,
    n_best: Annotated[int | None, typer.Option(help="So many translations of each text, as jsonl.", min=1)] = None,
    attention: Annotated[Path | None, typer.Option(help="Also draw what each word looked at, an HTML file.")] = None,
) -> None:
    """Answer texts given as arguments, in a file, or on standard input: one line for each, in order."""
    from nlpipe.answers import answer, change, draw_attention, lines_of, several
    from nlpipe.pipeline import Pipeline

    if form not in ("text", "jsonl", "html"):
        raise NlpipeError(f"--format {form}: it is text, jsonl or html")
    if given not in (None, "text", "jsonl"):
        raise NlpipeError(f"--input {given}: it is text or jsonl")
    if texts and file is not None:
        raise NlpipeError("give texts or --file, not both")
    pipeline = Pipeline.load(run_folder)
    if changes:
        change(pipeline, changes)
    if form == "html" and pipeline.task.name != "tagging":
        raise NlpipeError(f"--format html marks entities, and this pipeline is for {pipeline.task.name}")
    source = iter(texts) if texts else lines_of(file, given, field)
    if attention is not None:
        source = draw_attention(pipeline, source, attention)
    for part in answer(pipeline, source, form) if n_best is None else several(pipeline, source, n_best):
        sys.stdout.write(part)
        sys.stdout.flush()


@app.command()
def export(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, or a saved model's.")],
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="A new directory.")],
    to: Annotated[str, typer.Option("--to", help="What is to read it: transformers, ctranslate2.")] = "transformers",
) -> None:
    """Write the BERT of a run, or (ctranslate2) its transformer that translates, as another library loads it."""
    from nlpipe.pipeline import Pipeline

    if to not in ("transformers", "ctranslate2"):
        raise NlpipeError(f"--to {to}: it is transformers or ctranslate2")
    pipeline = Pipeline.load(run_folder)
    if to == "transformers":
        typer.echo(pipeline.export(directory))
        return
    from nlpipe.ctranslate2_model import export_ctranslate2

    typer.echo(export_ctranslate2(pipeline, directory))


@app.command()
def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE... [KEY=VALUE]...", help="Pipelines or comparisons.")],
) -> None:
    """Check files without reading any data: keys, values, stages, wiring; every fault with its place."""
    from nlpipe.api import find_file, wires_of
    from nlpipe.errors import Fault, SpecError
    from nlpipe.spec import is_comparison, read_comparison, read_pipelines

    overrides = [item for item in files if "=" in item]
    if len(overrides) == len(files):
        raise NlpipeError("no file: name a pipeline or a comparison to check")
    faults: list[Fault] = []
    for item in files:
        if "=" in item:
            continue
        try:
            item = str(find_file(item))
            wires = wires_of(Path(item).parent)
            if is_comparison(item):
                comparison = read_comparison(item, overrides, wires)
                found, left_out = comparison.pipelines, comparison.left_out
            else:
                expansion = read_pipelines(item, overrides, wires)
                found, left_out = expansion.pipelines, expansion.left_out
            for spec in found:
                typer.echo(f"{item}: {spec.name}: {' → '.join(stage.name for stage in spec.stages)}")
            for name, why in left_out:
                typer.echo(f"{item}: {name} is left out: {why}")
        except SpecError as error:
            faults.extend(error.faults)
    if faults:
        raise SpecError(faults)


@app.command(name="list")
def list_stages(
    slot_name: Annotated[str | None, typer.Argument(metavar="[SLOT]", help="tokenizer, representation, …")] = None,
) -> None:
    """List the stages there are, by slot, with a line about each."""
    from rich.console import Console
    from rich.table import Table

    from nlpipe.registry import FOLDERS, slot

    console = Console()
    for name in [slot_name] if slot_name else FOLDERS:
        found = slot(name)
        if not found.names():
            continue
        table = Table(title=found.name, show_header=False, box=None, title_justify="left", padding=(0, 2))
        for stage in found.names():
            table.add_row(f"  {stage}", found.summary(stage))
        console.print(table)


@app.command()
def show(name: Annotated[str, typer.Argument(metavar="NAME", help="A stage, as files call it, or trainer.")]) -> None:
    """Show a stage, or the trainer: what it takes and gives, its options with types, ranges and defaults."""
    from nlpipe.registry import FOLDERS, slot

    if name == "trainer":
        from nlpipe.trainer import Trainer

        _show_options("[bold]trainer[/bold]", Trainer)
        return
    found = [(key, slot(key)) for key in FOLDERS if name in slot(key).names()]
    if not found:
        from nlpipe.errors import suggest

        known = ["trainer", *(stage for key in FOLDERS for stage in slot(key).names())]
        raise NlpipeError(f"there is no stage '{name}'{suggest(name, known)}")
    for key, each in found:
        owner = each.load(name)
        _show_options(f"[bold]{name}[/bold] ({key}): {owner.takes.__name__} → {owner.gives.__name__}", owner)


def _show_options(title: str, owner: Any) -> None:
    import inspect
    import json

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from nlpipe.options import option_texts, options_of

    console = Console()
    prose = inspect.cleandoc(owner.__doc__ or "").partition("Options:")[0].strip()
    console.print(title, highlight=False)
    console.print(prose + "\n", highlight=False, markup=False)
    table = Table(show_header=True, box=None, header_style="italic", padding=(0, 2))
    for heading in ("option", "values", "default", ""):
        table.add_column(heading)
    told = option_texts(owner)
    for option in options_of(owner).values():
        default = "required" if option.required else json.dumps(option.default, default=str, ensure_ascii=False)
        table.add_row(option.name, *map(escape, (option.describe(), default, told.get(option.name, ""))))
    console.print(table)


@app.command()
def schema() -> None:
    """Print the JSON Schema of pipeline and comparison files, for editors that complete and check YAML."""
    import json

    from nlpipe.spec import json_schema

    typer.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))


@app.command()
def init(
    data: Annotated[
        list[Path],
        typer.Argument(metavar="DATA...", help="Your examples: csv, tsv, jsonl, conll, po, or two parallel."),
    ],
    output: Annotated[Path | None, typer.Option("--output", help="Where to write it; printed by default.")] = None,
) -> None:
    """Make a pipeline file to start from out of your own data."""
    from nlpipe.datasets.starter import init_spec

    text = init_spec(*data)
    if output is None:
        typer.echo(text, nl=False)
        return
    if output.exists():
        raise NlpipeError(f"{output} is there already; remove it or choose another name with --output")
    output.write_text(text, encoding="utf-8")
    typer.echo(output)


@data_app.command(name="list")
def data_list() -> None:
    """List the data sets that have a card."""
    from rich.console import Console
    from rich.table import Table

    from nlpipe.datasets.finding import card_names, find_card

    table = Table(box=None, header_style="italic", padding=(0, 2))
    for heading in ("card", "task", "what", "licence"):
        table.add_column(heading)
    for name in card_names():
        card = find_card(name).card
        table.add_row(name, card.task, card.title, card.licence)
    Console().print(table)


@data_app.command(name="show")
def data_show(name: Annotated[str, typer.Argument(metavar="CARD")]) -> None:
    """Show a card as it is written."""
    from nlpipe.datasets.finding import find_card

    typer.echo(Path(find_card(name).place).read_text(encoding="utf-8"), nl=False)


@data_app.command(name="fetch")
def data_fetch(names: Annotated[list[str], typer.Argument(metavar="CARD...")]) -> None:
    """Fetch data sets into the cache and check them, so that later runs need no network."""
    from nlpipe.datasets.load import load_dataset

    for name in names:
        found = load_dataset(name, Path())
        sizes = f"train {len(found.train):,}, dev {len(found.dev):,}, test {len(found.test):,}"
        typer.echo(f"{name}: {sizes}")
