"""What people ask of word vectors by mistake: a clear message with status 2, and nothing on standard output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpipe.pipeline import Pipeline
from tests.commands import complaint
from tests.commands import nlpipe as command

pytestmark = pytest.mark.usefixtures("unmeasured")

WORD2VEC = """\
data: sample_reviews
representation: {name: word2vec, dim: 8, epochs: 1, min_count: 1}
encoder: mean
head: logistic_regression
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("words")
    (folder / "p.yaml").write_text(WORD2VEC)
    done = command("run", folder / "p.yaml", "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    return next((folder / "runs").glob("p-*"))


def test_both_commands_print_what_python_gives(run: Path) -> None:
    pipeline = Pipeline.load(run)
    found = pipeline.neighbours(["film", "superb"], minus="worse", top=3)
    done = command("neighbours", run, "film", "superb", "--minus", "worse", "--top", "3", "--format", "jsonl")
    record = json.loads(done.stdout)
    assert record["query"] == found.query == "film + superb - worse"
    assert [each["word"] for each in record["nearest"]] == [word for word, _ in found.nearest]
    assert [each["cosine"] for each in record["nearest"]] == pytest.approx([v for _, v in found.nearest], abs=1e-6)
    lines = command("neighbours", run, "film", "superb", "--top", "2").stdout.decode().splitlines()
    assert lines[0] == f"representation (word2vec): {len(pipeline.word_space().words):,} words, 8 dimensions"
    assert lines[1] == "film" and lines[4] == "superb" and len(lines) == 7
    record = json.loads(command("similarity", run, "simlex999", "--format", "jsonl").stdout)
    assert record["correlation"] == pytest.approx(pipeline.word_similarity("simlex999").correlation)
    lines = command("similarity", run, "simlex999").stdout.decode().splitlines()
    assert lines[1].startswith("simlex999: Spearman ") and lines[1].endswith(" of 999 pairs are in the vocabulary")
    assert "wordsim353: 1 of 353 pairs have both words" in complaint("similarity", run)  # both sets, by default


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["filn"], "did you mean 'film'"),
        (["film", "xqzzy"], "'xqzzy' is not among the"),
        ([""], "'' is not among the"),
        (["film", "--minus", "xqzzy"], "'xqzzy' is not among the"),
        (["film", "--minus", "film"], "film - film: the vectors add up to zero"),
        (["film", "--top", "0"], "invalid value for '--top'"),
        (["film", "--format", "csv"], "invalid value 'csv' for --format"),
        (["film", "--part", "heads"], "part: 'heads' has no static vectors of words; known: representation"),
        ([], "missing argument"),
    ],
    ids=str,
)
def test_neighbours_out_of_reach(run: Path, arguments: list[str], message: str) -> None:
    done = command("neighbours", run, *arguments)
    assert message in complaint("neighbours", run, *arguments) and not done.stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "holds no pair"),
        ("# only a comment\n\n", "holds no pair"),
        ("one\tother\tmean\n", "holds no pair"),
        ("film\tstory\t3\nfilm,story,4\n", ".tsv:2: expected two words and a number with tabs between"),
        ("film\tstory\t3\nfilm\t\t4\n", ".tsv:2: expected two words"),
        ("film\tstory\t3\nfilm\tmusic\tmany\n", ".tsv:2: 'many' is not a number"),
        ("film\tstory\tnan1\nfilm\tmusic\t2\n", ".tsv:1: 'nan1' is not a number"),
        ("film\tstory\t3\nfilm\tmusic\tinf\n", ".tsv:2: 'inf' is not a number"),
        ("film\tstory\t3\nfilm\tmusic\t2\n", "2 of 2 pairs have both words in the vocabulary"),
        ("film\txqzzy\t3\n" * 9, "0 of 9 pairs have both words in the vocabulary"),
        ("film\tstory\t3\nfilm\tmusic\t3\nstory\tmusic\t3\nsuperb\tworse\t3\n", "the scores of all 4 pairs"),
        ("film\tfilm\t3\nfilm\tfilm\t4\n" * 2, "the cosines of all 4 pairs"),
        ("film\tstory\t\udcff\n", ".tsv:1: the file is not encoded in UTF-8"),
    ],
    ids=str,
)
def test_pairs_that_give_no_correlation(run: Path, tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "pairs.tsv"
    file.write_text(content, encoding="utf-8", errors="surrogateescape")
    assert message in complaint("similarity", run, file)


def test_files_that_are_not_there(run: Path, tmp_path: Path) -> None:
    assert "did you mean 'wordsim353'" in complaint("similarity", run, "wordsim-353")
    assert "cannot be read: Is a directory" in complaint("similarity", run, tmp_path)
    assert "there is no saved pipeline here" in complaint("neighbours", tmp_path, "film")
    assert "did you mean 'neighbours'" in complaint("most-similar", run, "film")


def test_a_run_without_vectors_says_what_has_them(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: sample_reviews\nrepresentation: tfidf\nhead: naive_bayes\n")
    assert command("run", file, "--out", tmp_path / "runs").returncode == 0
    other = next((tmp_path / "runs").glob("c-*"))
    for arguments in (["neighbours", other, "film"], ["similarity", other]):
        message = complaint(*arguments)
        assert (
            "(regex → tfidf → naive_bayes) has vectors of words" in message and "embedding, static, word2vec" in message
        )
