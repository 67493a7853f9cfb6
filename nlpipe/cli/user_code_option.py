"""The option ``--import`` of every command that stages, metrics, readers or tasks of the user's own may be named to."""

from __future__ import annotations

from typing import Annotated

import typer


def _import(names: list[str] | None) -> list[str] | None:
    if names:
        from nlpipe.user_code import import_module

        for name in names:
            import_module(name)
    return names


Imports = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Import a module of your own that registers stages, metrics, readers or tasks.",
        callback=_import,
        is_eager=True,
    ),
]
