"""Commands that show the stages: list and show."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from nlpipe.cli.arguments import Imports, import_modules
from nlpipe.cli.terminal import make_console
from nlpipe.errors import NlpipeError, suggest

SLOTS = ("tokenizer", "representation", "encoder", "head")


def list_stages(
    slot_name: Annotated[
        str | None, typer.Argument(metavar="[SLOT]", help="tokenizer, representation, …, or pipelines")
    ] = None,
    imports: Imports = None,
) -> None:
    """List the stages by slot, with a line about each; or the pipeline files that come with nlpipe."""
    from rich.table import Table

    from nlpipe.registry import FOLDERS, slot

    import_modules(imports)
    console = make_console()
    if slot_name == "pipelines":
        _list_pipelines(console)
        return
    for name in [slot_name] if slot_name else FOLDERS:
        stages = slot(name)
        if not stages.names():
            continue
        table = Table(title=stages.name, show_header=False, box=None, title_justify="left", padding=(0, 2))
        for stage in stages.names():
            table.add_row(f"  {stage}", stages.summary(stage))
        console.print(table)


def _list_pipelines(console: Any) -> None:
    from rich.table import Table

    from nlpipe.spec.sources import find_file, read_source, shipped_files

    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)  # the name is what is copied
    for file in shipped_files():
        root = read_source(find_file(file))
        if root.is_comparison:
            title = root.value.entries["compare"].plain() if "compare" in root.value.entries else ""
            table.add_row(file, f"comparison: {title}")
        else:
            stages = [root.value.entries[slot] for slot in SLOTS if slot in root.value.entries]
            table.add_row(file, " → ".join(name for stage in stages for name in _names(stage.plain())))
    console.print(table)


def _names(stage: Any) -> list[str]:
    """The names of a stage, or of several in a row, as a file writes them."""
    if isinstance(stage, list):
        return [name for each in stage for name in _names(each)]
    return [str(stage.get("name", "")) if isinstance(stage, dict) else str(stage)]


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A stage, as files call it, or trainer.")],
    imports: Imports = None,
) -> None:
    """Show a stage, or the trainer: what it takes and gives, its options with types, ranges and defaults."""
    from nlpipe.registry import FOLDERS, slot

    import_modules(imports)
    if name == "trainer":
        from nlpipe.training.trainer import Trainer

        _show_options("[bold]trainer[/bold]", Trainer)
        return
    slots = [key for key in FOLDERS if name in slot(key).names()]
    if not slots:
        names = ["trainer", *(stage for key in FOLDERS for stage in slot(key).names())]
        raise NlpipeError(f"there is no stage '{name}'{suggest(name, names)}")
    for key in slots:
        owner = slot(key).load(name)
        _show_options(f"[bold]{name}[/bold] ({key}): {owner.takes.__name__} → {owner.gives.__name__}", owner)


def _show_options(title: str, owner: Any) -> None:
    import inspect
    import json
    import re

    from rich.console import Console
    from rich.markup import escape
    from rich.padding import Padding
    from rich.text import Text

    from nlpipe.options import option_texts, options_of

    console = Console()
    prose = inspect.cleandoc(owner.__doc__ or "").partition("Options:")[0].strip()
    console.print(title, highlight=False)
    for paragraph in re.split(r"\n\n+", prose):
        console.print(_plain(paragraph) + "\n", highlight=False, markup=False)
    texts = option_texts(owner)
    for option in options_of(owner).values():
        default = "required" if option.required else json.dumps(option.default, default=str, ensure_ascii=False)
        console.print(
            f"  [bold]{option.name}[/bold] = {escape(default)}  [dim]{escape(option.describe())}[/dim]", highlight=False
        )
        console.print(Padding(Text(_plain(texts.get(option.name, ""))), (0, 0, 0, 6), expand=False))


def _plain(text: str) -> str:
    """A docstring's paragraph as a terminal shows it: on one line, to be wrapped, and without marks of code."""
    return " ".join(text.split()).replace("``", "")
