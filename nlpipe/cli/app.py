"""The command line's table of contents: every command, each a few lines over the Python interface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nlpipe.cli import data_commands, file_commands, model_commands, run_commands, stage_commands
from nlpipe.errors import NlpipeError, suggest

SYNONYMS = {
    "train": "run", "fit": "run", "evaluate": "run", "eval": "run", "test": "run", "score": "run",
    "benchmark": "compare", "tune": "compare", "sweep": "compare", "rank": "compare",
    "serve": "predict", "infer": "predict", "classify": "predict", "tag": "predict", "translate": "predict",
    "validate": "check", "lint": "check", "stages": "list", "models": "list", "info": "show", "describe": "show",
    "new": "init", "start": "init", "create": "init", "save": "export", "convert": "export", "datasets": "data",
    "download": "data fetch",
}  # fmt: skip
"""What other tools call a command, to the name that it has here."""


class Commands(TyperGroup):
    """A group of commands that says which command was meant instead of an unknown one."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # click's types, which newer typers have of their own
        """The command that ``args`` begin with.

        Raises:
            NlpipeError: there is none of that name.
        """
        name = args[0]
        if name not in self.commands and not name.startswith("-"):
            raise NlpipeError(f"there is no command '{name}'{self._meant(name)}")
        return super().resolve_command(ctx, args)

    def _meant(self, name: str) -> str:
        from nlpipe.datasets.readers import format_of

        if Path(name).suffix in (".yaml", ".yml"):
            return f"; did you mean 'nlpipe run {name}'?"
        if format_of(name):
            return f"; did you mean 'nlpipe init {name}'?"
        synonym = SYNONYMS.get(name.lower(), "")
        return (
            f"; did you mean '{synonym}'?"
            if synonym.partition(" ")[0] in self.commands
            else suggest(name, self.commands)
        )


def _print_version(wanted: bool) -> None:
    if wanted:
        import nlpipe

        typer.echo(f"nlpipe {nlpipe.__version__}")
        raise typer.Exit


app = typer.Typer(
    name="nlpipe",
    cls=Commands,
    help="Declare NLP pipelines in YAML, compare them fairly, use the one you choose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Declare NLP pipelines in YAML, compare them fairly, use the one you choose."""


app.command()(run_commands.run)
app.command()(run_commands.compare)
app.command()(model_commands.predict)
app.command()(model_commands.export)
app.command()(file_commands.check)
app.command(name="list")(stage_commands.list_stages)
app.command()(stage_commands.show)
app.command()(file_commands.schema)
app.command()(file_commands.init)

data = typer.Typer(cls=Commands, help="Data sets: list their cards, show one, fetch it.", no_args_is_help=True)
data.command(name="list")(data_commands.data_list)
data.command(name="show")(data_commands.data_show)
data.command(name="fetch")(data_commands.data_fetch)
app.add_typer(data, name="data")
