"""Parts of a user's own: registered in a script, a module or a notebook, and known in every process that needs them.

Everything here runs as a user's program does: in a process of its own, from a folder of its own.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpipe.runs.result import Result
from tests.unit.runs.user_programs import PARTS, PIPELINE, STAGES, python

RUN = """
result = nlpipe.run("p.yaml", out="runs")
print("RAN", result.folder, sorted(result.costs), result.ledger["warnings"], sep="|")
"""
COMPARE = """
comparison = nlpipe.compare(["p.yaml", "q.yaml"], out="runs")
print("COMPARED", [(row.name, row.score is not None, row.errors) for row in comparison.rows], sep="|")
"""
OK = [("p", True, ()), ("q", True, ())]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "p.yaml").write_text(PIPELINE)
    (tmp_path / "q.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    return tmp_path


def said(output: str, word: str) -> list[str]:
    (line,) = (line for line in output.splitlines() if line.startswith(word))
    return line.split("|")[1:]


# -- in a script


def test_a_script_that_registers_runs_and_compares_without_a_main_guard(folder: Path) -> None:
    (folder / "script.py").write_text(STAGES + "print('BEGUN')\n" + RUN + COMPARE)
    done = python("script.py", cwd=folder)
    run, costs, warnings = said(done.stdout, "RAN")
    assert "latency_p50_seconds" in costs and warnings == "[]"
    assert said(done.stdout, "COMPARED") == [repr(sorted(OK))] or said(done.stdout, "COMPARED") == [repr(OK[::-1])]
    assert done.stdout.count("BEGUN") == 1  # what other processes do with the script is not seen
    result = Result(folder / run)
    assert "representation 'lengths'" in result.environment["fingerprints"]
    again = python("script.py", cwd=folder)
    assert said(again.stdout, "RAN")[0] == run
    assert len(list((folder / "runs").glob("p-*"))) == 1  # the worker's run is the script's own


@pytest.mark.parametrize("words", [["-m", "package.script"], ["package/script.py"]])
def test_a_script_in_a_package_and_its_arguments(folder: Path, words: list[str]) -> None:
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "package" / "stages.py").write_text(STAGES)
    own = "from .stages import Lengths, nlpipe\n" if words[0] == "-m" else "from stages import Lengths, nlpipe\n"
    program = own + (
        "import sys\nassert sys.argv[1:] == ['one', '--two'], sys.argv\n"
        '@nlpipe.register.representation("longer")\nclass Longer(Lengths):\n    """A stage of the script\'s own."""\n'
    )
    (folder / "package" / "script.py").write_text(program + COMPARE)
    (folder / "p.yaml").write_text(PIPELINE.replace("lengths", "longer"))
    done = python(*words, "one", "--two", cwd=folder)
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])


def test_what_is_registered_behind_a_guard_or_too_late_is_told(folder: Path) -> None:
    guarded = STAGES.replace("@nlpipe.register", "@(lambda c: c) if __name__ != '__main__' else nlpipe.register")
    (folder / "guarded.py").write_text(guarded + COMPARE)
    ((name, right, errors),) = (
        row for row in eval(said(python("guarded.py", cwd=folder).stdout, "COMPARED")[0]) if row[2]
    )
    assert (name, right) == ("p", False)
    assert errors[0].startswith("p, seed 13: representation 'lengths': not registered when the module or script is")
    (folder / "late.py").write_text("import nlpipe\nnlpipe.run('q.yaml', out='runs')\n" + STAGES + RUN)
    _, costs, warnings = said(python("late.py", cwd=folder).stdout, "RAN")
    assert "latency" not in costs and "register at its top level, before any call of nlpipe.run" in warnings


def test_a_script_that_fails_when_run_again_is_told(folder: Path) -> None:
    program = "import pathlib\npathlib.Path('once').mkdir()\n" + STAGES + RUN
    (folder / "script.py").write_text(program)
    _, costs, warnings = said(python("script.py", cwd=folder).stdout, "RAN")
    assert "latency" not in costs
    assert "script.py was run in another process for the stages that it registers, and failed there: " in warnings
    assert "script.py:2: FileExistsError" in warnings and "a module of their own is safer" in warnings


# -- on standard input and in a notebook


def test_standard_input_compares_in_workers(folder: Path) -> None:
    (folder / "p.yaml").write_text(PIPELINE.replace("lengths", "tfidf"))
    done = python("-", cwd=folder, stdin="import nlpipe\n" + COMPARE)
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])
    assert "known in this process alone" not in done.stderr


@pytest.mark.parametrize("how", ["stdin", "command"])
def test_what_standard_input_registers_is_compared_in_process(folder: Path, how: str) -> None:
    program = STAGES + (RUN if how == "stdin" else "") + COMPARE
    done = python("-", cwd=folder, stdin=program) if how == "stdin" else python("-c", program, cwd=folder)
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])
    assert (
        "representation 'lengths': known in this process alone, so the runs go one after another in it" in done.stderr
    )
    if how == "stdin":
        _, costs, warnings = said(done.stdout, "RAN")
        assert "fit_seconds" in costs and "latency" not in costs
        assert (
            "the costs were not measured: representation 'lengths': registered in a notebook, on standard" in warnings
        )


PLAIN = """
import json, linecache, sys
from pathlib import Path

for number, cell in enumerate(json.loads(Path("cells.json").read_text())):
    name = f"<cell {number}>"
    linecache.cache[name] = (len(cell), None, cell.splitlines(keepends=True), name)
    exec(compile(cell, name, "exec"), vars(sys.modules["__main__"]))
"""
IPYTHON = """
import json
from pathlib import Path
from IPython.core.interactiveshell import InteractiveShell

shell = InteractiveShell.instance()
for cell in json.loads(Path("cells.json").read_text()):
    shell.run_cell(cell).raise_error()
"""


@pytest.mark.parametrize("shell", ["plain", "IPython"])
def test_a_notebook_compares_and_a_cell_that_is_run_again_is_a_new_stage(folder: Path, shell: str) -> None:
    if shell == "IPython":
        pytest.importorskip("IPython", reason="needs IPython, the kernel of notebooks")
    changed = STAGES.replace("len(letters(words))", "2 * len(letters(words))")
    (folder / "cells.json").write_text(json.dumps([STAGES, COMPARE, RUN, STAGES, RUN, changed, RUN]))
    done = python("-c", PLAIN if shell == "plain" else IPYTHON, cwd=folder)
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])
    first, same, other = (line.split("|")[1] for line in done.stdout.splitlines() if line.startswith("RAN"))
    assert first == same != other


# -- in a module


def test_a_module_is_imported_by_the_command_by_a_file_and_in_python(folder: Path) -> None:
    (folder / "my_stages.py").write_text(STAGES)
    done = python("-m", "nlpipe", "run", "p.yaml", "--import", "my_stages", "--out", "runs", cwd=folder)
    result = Result(folder / done.stdout.splitlines()[-1])
    assert result.ledger["warnings"] == [] and result.costs["latency_p50_seconds"] > 0
    predicted = python("-m", "nlpipe", "predict", result.folder, "good", "--import", "my_stages", cwd=folder)
    assert predicted.stdout.split("\t")[0] in ("positive", "negative")
    refused = python("-m", "nlpipe", "predict", result.folder, "good", cwd=folder, check=False)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "it was saved with my_stages.Lengths: import that module (--import MODULE)" in refused.stderr
    # the resolved file runs again as it is, from anywhere
    elsewhere = folder / "elsewhere"
    elsewhere.mkdir()
    again = python("-m", "nlpipe", "run", result.folder / "pipeline.yaml", "--out", "runs", cwd=elsewhere)
    assert Path(again.stdout.splitlines()[-1]).name.rpartition("-")[2] == result.folder.name.rpartition("-")[2]
    # and a comparison names the module for all
    (folder / "both.yaml").write_text("import: [my_stages]\npipelines: [p.yaml, q.yaml]\n")
    done = python("-m", "nlpipe", "compare", "both.yaml", "--out", "runs", "--jobs", "2", cwd=folder)
    assert "failed" not in done.stdout


def test_a_script_that_its_own_pipeline_file_imports_does_not_begin_anew(folder: Path) -> None:
    (folder / "my_stages.py").write_text(STAGES + "print('BEGUN')\n" + RUN + COMPARE)
    (folder / "p.yaml").write_text("import: my_stages\n" + PIPELINE)
    (folder / "q.yaml").write_text("import: my_stages\n" + (folder / "q.yaml").read_text())  # which uses nothing of it
    done = python("my_stages.py", cwd=folder)
    assert done.stdout.count("BEGUN") == 1 and "latency_p50_seconds" in said(done.stdout, "RAN")[1]
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])


def test_an_edited_plugin_is_another_run_and_a_model_fitted_with_the_old_one_says_so(folder: Path) -> None:
    (folder / "my_stages.py").write_text(STAGES)
    words = ["-m", "nlpipe", "run", "p.yaml", "--import", "my_stages", "--out", "runs"]
    first = Path(python(*words, cwd=folder).stdout.splitlines()[-1])
    (folder / "my_stages.py").write_text(STAGES.replace("len(letters(words))", "-len(letters(words))"))
    edited = Path(python(*words, cwd=folder).stdout.splitlines()[-1])
    assert edited != first
    predict = ["-m", "nlpipe", "predict", "--import", "my_stages"]
    told = python(*predict, first, "good", cwd=folder).stderr
    assert "warning: " in told and "the code of my_stages.Lengths has changed since this model was fitted" in told
    assert "warning" not in python(*predict, edited, "good", cwd=folder).stderr


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            STAGES + STAGES.replace("class Lengths", "class Others"),
            "the representation name 'lengths' is taken; choose another (my_stages.Lengths has it)",
        ),
        (STAGES + "nlpipe.compare(['p.yaml'])\n", "my_stages.py:24: it calls nlpipe.run or nlpipe.compare when it is"),
        (
            STAGES + "import no_such_package\n",
            "my_stages.py:24: ModuleNotFoundError: No module named 'no_such_package'",
        ),
    ],
)
def test_a_module_that_cannot_be_imported_is_told(folder: Path, module: str, message: str) -> None:
    (folder / "my_stages.py").write_text(module)
    done = python("-m", "nlpipe", "run", "p.yaml", "--import", "my_stages", cwd=folder, check=False)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "error: --import my_stages: cannot import 'my_stages': " in done.stderr and message in done.stderr


# -- metrics, readers and tasks


def test_a_metric_a_reader_and_a_task_through_run_and_compare(folder: Path) -> None:
    (folder / "my_parts.py").write_text(PARTS)
    rows = "".join(f"yes: good {i}\nnever: bad {i}\n" for i in range(40))
    (folder / "moods.marked").write_text(rows)
    for name, representation in (("p", "bow"), ("q", "tfidf")):
        (folder / f"{name}.yaml").write_text(
            "import: my_parts\ndata: {task: mood, train: moods.marked}\n"
            f"representation: {representation}\nhead: naive_bayes\n"
        )
    (folder / "script.py").write_text("import nlpipe\n" + RUN + COMPARE + "print(comparison.table())\n")
    done = python("script.py", cwd=folder)
    assert eval(said(done.stdout, "COMPARED")[0]) in (OK, OK[::-1])
    assert "short labels" in done.stdout and "letters ratio" in done.stdout
    result = Result(folder / said(done.stdout, "RAN")[0])
    answers = [str(record["predicted"]) for record in result.records()]
    gold = [str(record["gold"]) for record in result.records()]
    assert result.environment["task"] == "mood"
    assert result.scores["short_labels"] == pytest.approx(answers.count("yes") / len(answers))
    assert result.scores["letters_ratio"] == pytest.approx(sum(map(len, answers)) / sum(map(len, gold)))
    definition = result.metrics["definitions"]["short_labels"]
    assert definition["full_name"] == "short_labels: share of predicted labels of at most 3 letters"
    assert definition["unit"] == "share" and definition["higher_is_better"]


def test_a_new_metric_scores_finished_runs_again_and_fits_nothing(folder: Path) -> None:
    program = "import sys, nlpipe\n" + RUN.replace("p.yaml", "q.yaml") + "print(result.scores.get('short_labels'))\n"
    before = python("-c", program, cwd=folder).stdout.splitlines()
    (folder / "my_parts.py").write_text(PARTS)
    after = python("-c", "import my_parts\n" + program, cwd=folder).stdout.splitlines()
    assert before[0] == after[0] and before[1] == "None" and 0 <= float(after[1]) <= 1
    (folder / "my_parts.py").write_text(PARTS.replace("<= 3", "<= 300"))
    assert python("-c", "import my_parts\n" + program, cwd=folder).stdout.splitlines() == [before[0], "1.0"]
    folder_of_run = said(before[0], "RAN")[0]
    lost = "from pathlib import Path\nfrom nlpipe.runs.score import score\nscore(Path(FOLDER))\n"
    done = python("-c", lost.replace("FOLDER", repr(folder_of_run)), cwd=folder, check=False)
    assert "it was scored with short_labels, which is not registered here: import the module that" in done.stderr


def test_metrics_that_give_something_else_are_told(folder: Path) -> None:
    program = (
        "import numpy as np, nlpipe\n@nlpipe.register.metric('odd', task='classification')\n"
        "def odd(gold, predictions):\n    return GIVEN\n"
        "try:\n    nlpipe.run('q.yaml', out='runs')\nexcept nlpipe.NlpipeError as error:\n    print(error)\n"
    )
    for given, message in (
        ("np.zeros(3)", "metric 'odd' gave an array of shape (3,): expected finite numbers (N,), N = "),
        ("np.full(len(gold), np.nan)", "metric 'odd' gave numbers that are not finite: expected"),
        ("np.zeros((len(gold), 2))", "metric 'odd' gave an array of shape ("),
    ):
        assert message in python("-c", program.replace("GIVEN", given), cwd=folder).stdout
    taken = program.replace("'odd'", "'accuracy'").replace("GIVEN", "np.ones(len(gold))")
    assert (
        "classification has a metric 'accuracy' of its own: give yours another name"
        in python("-c", taken, cwd=folder).stdout
    )
