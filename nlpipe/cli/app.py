"""The command line's table of contents: every command, each a few lines over the Python interface."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from nlpipe.cli import (
    after_commands,
    audit_commands,
    behaviour_commands,
    compare_command,
    data_commands,
    file_commands,
    language_commands,
    model_commands,
    report_command,
    run_commands,
    serve_command,
    stage_commands,
    threshold_command,
    tune_command,
    word_commands,
)
from nlpipe.errors import NlpipeError, suggest
from nlpipe.options import options_of
from nlpipe.synonyms import meant

SYNONYMS = {
    "train": "run", "fit": "run", "eval": "evaluate", "test": "evaluate",
    "benchmark": "compare", "rank": "compare", "sweep": "tune", "search": "tune", "optimize": "tune",
    "infer": "predict", "classify": "predict", "tag": "predict", "translate": "predict",
    "validate": "check", "lint": "check", "stages": "list", "models": "list", "info": "show", "describe": "show",
    "new": "init", "start": "init", "create": "init", "save": "export", "convert": "export", "datasets": "data",
    "download": "data fetch", "history": "runs", "ls": "runs", "results": "runs",
    "confusion": "errors", "mistakes": "errors", "analyse": "errors", "analyze": "errors",
    "duplicates": "data audit", "leakage": "data audit", "memorization": "audit", "memorisation": "audit",
    "privacy": "audit", "pii": "audit", "extract": "audit", "checklist": "behave",
    "fairness": "bias", "sample": "generate", "complete": "generate", "write": "generate", "surprisal": "score",
    "perplexity": "score", "fill-mask": "fill", "mask": "fill", "neighbors": "neighbours", "nearest": "neighbours",
    "most-similar": "neighbours", "analogy": "neighbours", "wordsim": "similarity", "word-similarity": "similarity",
    "html": "report", "dashboard": "report", "reproduce": "verify", "rerun": "verify",
    "abstain": "threshold", "reject": "threshold", "selective": "threshold",
    "deploy": "serve", "server": "serve", "api": "serve", "host": "serve", "start-server": "serve",
}  # fmt: skip
"""What other tools call a command, to the name that it has here."""


UsageError: Any = typer.BadParameter.__bases__[0]
"""What a wrong use of the command raises: click's class, which newer typers have of their own."""


@contextmanager
def our_style() -> Iterator[None]:
    """Raise errors in the use of options as NlpipeError, so that all errors look alike.

    Raises:
        NlpipeError: an option is unknown, lacks its value or has a wrong one, or an argument is missing.
    """
    try:
        yield
    except UsageError as error:
        if not error.args or type(error).__name__ == "NoArgsIsHelpError":
            raise
        raise NlpipeError(_in_our_words(error)) from None


def _in_our_words(error: Any) -> str:
    """A message of click's: ``nlpipe run: no such option: --output; did you mean '--out'?``."""
    path = error.ctx.command_path if error.ctx is not None else "nlpipe"
    typed = getattr(error, "option_name", None)
    if typed is None or type(error).__name__ != "NoSuchOption":
        message = " ".join(error.format_message().split()).rstrip(".")
        return f"{path}: {message[:1].lower()}{message[1:]}; '{path} -h' shows what it takes"
    return f"{path}: no such option: {typed}{_option_meant(typed, error.ctx)}"


def _option_meant(typed: str, context: Any) -> str:
    """What to write in place of an unknown option: another one, or a change to the pipeline file."""
    from nlpipe.training.trainer import Trainer

    options = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    name = typed.lstrip("-").replace("-", "_")
    changes = any(parameter.name in ("overrides", "arguments") for parameter in context.command.params)
    own = meant(name, [option.removeprefix("--") for option in options])
    if own is not None:
        return f"; did you mean '--{own}'?"
    key = name if name in options_of(Trainer) else meant(name, options_of(Trainer))
    if changes and ("." in name or key):
        return f"; did you mean '{name if '.' in name else f'trainer.{key}'}=VALUE', without '--'?"
    return suggest(typed, options)


class Commands(TyperGroup):
    """A group of commands that says which command was meant instead of an unknown one."""

    def make_context(self, *args: Any, **options: Any) -> Any:
        with our_style():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        with our_style():
            return super().invoke(ctx)

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
app.command()(compare_command.compare)
app.command()(tune_command.tune)
app.command()(model_commands.predict)
app.command()(serve_command.serve)
app.command()(model_commands.export)
app.command()(language_commands.generate)
app.command()(language_commands.fill)
app.command()(language_commands.score)
app.command()(word_commands.neighbours)
app.command()(word_commands.similarity)
app.command()(behaviour_commands.behave)
app.command()(behaviour_commands.bias)
app.command(name="audit")(audit_commands.model_audit)
app.command()(after_commands.evaluate)
app.command()(after_commands.errors)
app.command()(after_commands.verify)
app.command()(threshold_command.threshold)
app.command()(report_command.report)
app.command(name="runs")(after_commands.show_runs)
app.command(name="export-items")(data_commands.export_items)
app.command()(file_commands.check)
app.command(name="list")(stage_commands.list_stages)
app.command()(stage_commands.show)
app.command()(file_commands.schema)
app.command()(file_commands.init)

data = typer.Typer(
    cls=Commands, help="Data sets: list their cards, show one, fetch it, look for its faults.", no_args_is_help=True
)
data.command(name="list")(data_commands.data_list)
data.command(name="show")(data_commands.data_show)
data.command(name="fetch")(data_commands.data_fetch)
data.command(name="audit")(audit_commands.data_audit)
app.add_typer(data, name="data")
