"""The command serve: saved models answer over HTTP."""

from __future__ import annotations

from typing import Annotated

import typer

from nlpipe.cli.arguments import Imports, import_modules


def serve(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN...", help="Runs' folders, or saved models'; NAME=RUN gives it a name.")
    ],
    host: Annotated[str, typer.Option(help="The address to listen on; 0.0.0.0 for all of this machine.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 for one that is free.", min=0, max=65535)] = 8000,
    max_body: Annotated[int, typer.Option(help="Bytes of a request, at most.", min=1)] = 1_048_576,
    max_texts: Annotated[int, typer.Option(help="Texts of a request, at most.", min=1)] = 1_000,
    max_length: Annotated[int, typer.Option(help="Characters of a text, at most.", min=1)] = 100_000,
    max_queue: Annotated[int, typer.Option(help="Texts that wait for a model, at most.", min=1)] = 10_000,
    batch: Annotated[int, typer.Option(help="Texts of several requests answered together, at most.", min=1)] = 64,
    workers: Annotated[
        int, typer.Option(help="Copies of each model, which answer at the same time.", min=1, max=256)
    ] = 1,
    threshold: Annotated[
        float | None, typer.Option(help="Mark as 'unsure' the answers whose confidence, from 0 to 1, is lower.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds that a request may take.", min=0.001, max=86_400)] = 30.0,
    log_texts: Annotated[bool, typer.Option("--log-texts", help="Write the texts of requests into the log.")] = False,
    imports: Imports = None,
) -> None:
    """Answer over HTTP: POST /predict, the Open Inference Protocol, and a page to try the models.

    SIGHUP loads again the runs that were replaced; SIGTERM ends it when what it accepted is answered.
    """
    from nlpipe.pipeline.unsure import check_threshold
    from nlpipe.registry import missing_extra
    from nlpipe.serving.limits import Limits

    if threshold is not None:
        check_threshold(threshold)
    limits = Limits(max_body, max_texts, max_length, max_queue, batch, timeout)
    import_modules(imports)
    try:
        from nlpipe.serving.server import serve as serve_runs
    except ModuleNotFoundError as error:
        if (error.name or "nlpipe").partition(".")[0] == "nlpipe":
            raise
        raise missing_extra("serve", error) from error
    serve_runs(runs, host, port, limits, log_texts, workers, threshold)
