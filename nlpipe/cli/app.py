"""The command line's table of contents: every command, each a few lines over the Python interface."""

from __future__ import annotations

import typer

from nlpipe.cli import data_commands, file_commands, model_commands, run_commands, stage_commands

app = typer.Typer(
    name="nlpipe",
    help="Declare NLP pipelines in YAML, compare them fairly, use the one you choose.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(run_commands.run)
app.command()(run_commands.compare)
app.command()(model_commands.predict)
app.command()(model_commands.export)
app.command()(file_commands.check)
app.command(name="list")(stage_commands.list_stages)
app.command()(stage_commands.show)
app.command()(file_commands.schema)
app.command()(file_commands.init)

data = typer.Typer(help="Data sets: list their cards, show one, fetch it.", no_args_is_help=True)
data.command(name="list")(data_commands.data_list)
data.command(name="show")(data_commands.data_show)
data.command(name="fetch")(data_commands.data_fetch)
app.add_typer(data, name="data")
