"""Where a run is wrong: counts against scikit-learn and the run's scores, order against sacreBLEU, tags by hand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import sacrebleu
from sklearn.metrics import confusion_matrix

from nlpipe.errors import NlpipeError
from nlpipe.predictions import Predictions
from nlpipe.runs.evaluate import evaluate
from nlpipe.runs.mistakes import find_mistakes
from nlpipe.runs.result import Result
from nlpipe.runs.tag_mistakes import of_entities, of_tags, paired
from nlpipe.wire import Tags, Tokens
from tests.commands import complaint
from tests.commands import nlpipe as command


def test_labels_are_confused_as_scikit_learn_counts(runs: dict[str, Result]) -> None:
    run = runs["classes"]
    found = find_mistakes(run.folder)
    gold, predicted = zip(*((line["gold"], line["predicted"]) for line in run.records()), strict=True)
    matrix = confusion_matrix(gold, predicted, labels=["negative", "positive"])
    assert found.wrong == matrix[0, 1] + matrix[1, 0] > 0 and found.examples == matrix.sum()
    counts = {(pair.gold, pair.predicted): pair.count for pair in found.confusions}
    assert counts == {("negative", "positive"): matrix[0, 1], ("positive", "negative"): matrix[1, 0]}
    assert [pair.count for pair in found.confusions] == sorted(counts.values(), reverse=True)
    assert {group.name: group.score for group in found.groups} == pytest.approx(
        {label: run.scores[f"f1[{label}]"] for label in ("negative", "positive")}
    )
    lines = list(run.records())
    values = []
    for mistake in found.worst:
        line = lines[mistake.line - 1]
        assert (line["id"], line["gold"], line["predicted"]) == (mistake.id, mistake.gold, mistake.predicted)
        assert mistake.value == line["probabilities"][line["gold"]] and mistake.text
        values.append(mistake.value)
    assert values == sorted(values)


def test_types_of_entities_have_the_scores_of_the_run(runs: dict[str, Result]) -> None:
    run = runs["entities"]
    found = find_mistakes(run.folder)
    assert {group.name: group.score for group in found.groups} == pytest.approx(
        {name[3:-1]: score for name, score in run.scores.items() if name.startswith("f1[")}
    )
    right = sum(group.right for group in found.groups)
    gold, predicted = (sum(getattr(group, what) or 0 for group in found.groups) for what in ("gold", "predicted"))
    assert run.scores["f1"] == pytest.approx(2 * right / (gold + predicted))
    missed = sum(pair.count for pair in found.confusions if pair.gold)
    invented = sum(pair.count for pair in found.confusions if pair.predicted)
    assert (missed, invented) == (gold - right, predicted - right)
    assert [mistake.value for mistake in found.worst] == sorted((m.value for m in found.worst), reverse=True)


def test_texts_come_in_the_order_of_sacrebleus_chrf(runs: dict[str, Result]) -> None:
    run = runs["texts"]
    found = find_mistakes(run.folder)
    metric = sacrebleu.CHRF(eps_smoothing=False)
    expected = [metric.sentence_score(m.predicted, [m.gold]).score for m in found.worst]
    assert [m.value for m in found.worst] == pytest.approx(expected)
    assert expected == sorted(expected) and found.wrong == len(expected) > 0
    assert sum(group.gold for group in found.groups) == found.examples
    for group in found.groups:
        low, high = int(group.name.split()[0]), int(group.name.split()[2]) if " to " in group.name else 10**9
        lines = [line for line in run.records() if low <= len(line["gold"].split()) <= high]
        corpus = metric.corpus_score([line["predicted"] for line in lines], [[line["gold"] for line in lines]])
        assert (group.gold, group.score) == (len(lines), pytest.approx(corpus.score))


def test_labels_without_probabilities_come_by_their_score_or_in_order(runs: dict[str, Result], tmp_path: Path) -> None:
    folder = shutil.copytree(runs["classes"].folder, tmp_path / "run")
    lines = [{"id": str(i), "gold": "a", "predicted": "b", "score": score} for i, score in enumerate((0.6, 0.9, 0.7))]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [(m.id, m.value) for m in find_mistakes(folder).worst] == [("1", 0.9), ("2", 0.7), ("0", 0.6)]
    for line in lines:
        del line["score"]
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert [(m.id, m.value) for m in find_mistakes(folder).worst] == [("0", None), ("1", None), ("2", None)]


def tagged(*sentences: tuple[str, str]) -> tuple[Tags, Predictions[Tags]]:
    """Gold and predicted tags, in order, of words that are numbers."""
    gold, predicted = ([text.split() for text in side] for side in zip(*sentences, strict=True))
    tokens = Tokens.from_words([[str(t) for t in range(len(tags))] for tags in gold])
    return Tags(gold, tokens), Predictions(Tags(predicted, tokens))


def test_entities_are_paired_by_the_words_they_share() -> None:
    gold, predictions = tagged(
        ("B-PER I-PER O B-LOC O", "B-PER O O B-ORG B-ORG"),  # shorter, another type, invented
        ("B-PER I-PER I-PER O", "B-LOC B-PER I-PER O"),  # two answers share words with one entity
        ("B-LOC O", "B-LOC O"),
        ("O B-LOC", "O I-LOC"),  # what continues nothing is no entity in strict IOB2
    )
    found = of_entities(gold, predictions)
    counts = {(pair.gold, pair.predicted, pair.same_words): pair.count for pair in found.confusions}
    assert counts == {
        ("PER", "PER", False): 2, ("LOC", "ORG", True): 1, ("", "ORG", True): 1, ("", "LOC", True): 1,
        ("LOC", "", True): 1,
    }  # fmt: skip
    assert [(i, value) for i, value, *_ in found.worst] == [(0, 3.0), (1, 2.0), (3, 1.0)]
    assert found.worst[0][2:] == ("0 1/PER, 3/LOC", "0/PER, 3/ORG, 4/ORG")
    assert {group.name: (group.gold, group.predicted, group.right) for group in found.groups} == {
        "PER": (2, 2, 0), "LOC": (3, 2, 1), "ORG": (0, 2, 0),
    }  # fmt: skip
    assert paired([(0, 2, "A")], [(2, 3, "A")]) == [("A", "", True), ("", "A", True)]


def test_entities_that_words_cannot_express_are_missed() -> None:
    gold, predictions = tagged(("B-PER O", "B-PER O"))
    spanned = Tags(gold.values, gold.tokens, [[(0, 1, "PER"), (2, 3, "LOC")]])
    found = of_entities(spanned, predictions)
    assert [(pair.gold, pair.predicted) for pair in found.confusions] == [("LOC", "")]
    assert found.worst == ((0, 1.0, "?/LOC", ""),)


def test_plain_tags_are_counted_by_word() -> None:
    found = of_tags(*tagged(("N V N", "N N V"), ("V", "V")))
    assert [(pair.gold, pair.predicted, pair.count) for pair in found.confusions] == [("N", "V", 1), ("V", "N", 1)]
    assert found.worst == ((0, 2.0, "1/V 2/N", "1/N 2/V"),)
    assert {group.name: group.score for group in found.groups} == {"N": 0.5, "V": 0.5}


def test_what_is_the_matter_with_texts_is_counted(runs: dict[str, Result], tmp_path: Path) -> None:
    folder = shutil.copytree(runs["texts"].folder, tmp_path / "run")
    lines = [json.loads(line) for line in (folder / "predictions.jsonl").read_text().splitlines()]
    answers = ["", "x", "la la la " + lines[2]["gold"], lines[3]["gold"] * 3]
    for line, answer in zip(lines, answers, strict=False):
        line["predicted"] = answer
    (folder / "predictions.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines[:4]))
    with pytest.raises(NlpipeError, match="not the statistics of these answers; score the run again"):
        find_mistakes(folder)
    from nlpipe.runs.score import score

    score(folder)
    kinds = {kind.what: kind.count for kind in find_mistakes(folder).kinds}
    assert kinds == {
        "empty": 1, "less than half as long as the reference": 1, "words three times in a row": 1,
        "more than twice as long as the reference": 1,
    }  # fmt: skip


def test_an_evaluation_has_its_own_texts_and_a_run_whose_data_is_gone_has_none(
    runs: dict[str, Result], tmp_path: Path
) -> None:
    (tmp_path / "new.csv").write_text("text,label\nan odd text,positive\nan odd text,negative\n")
    evaluate(runs["classes"].folder, str(tmp_path / "new.csv"), tmp_path / "out")
    (tmp_path / "new.csv").unlink()
    found = find_mistakes(tmp_path / "out")
    assert (found.wrong, found.split, found.note) == (1, "evaluation", "")
    assert found.worst[0].text == "an odd text"
    folder = shutil.copytree(runs["classes"].folder, tmp_path / "run")
    record = json.loads((folder / "environment.json").read_text())
    (folder / "environment.json").write_text(json.dumps({**record, "data_digest": "0"}))
    changed = find_mistakes(folder)  # texts are looked up by their hashes, so that those shown are the right ones
    assert (
        [mistake.text for mistake in changed.worst]
        == [mistake.text for mistake in find_mistakes(runs["classes"].folder).worst]
        and changed.worst[0].text
        and changed.note == ""
    )
    (folder / "pipeline.yaml").write_text("data: {task: classification, train: gone.csv}\nhead: majority\n")
    gone = find_mistakes(folder)
    assert gone.worst[0].text == "" and gone.note.startswith("the texts are not shown, as the data cannot be read")
    assert gone.worst[0].id == find_mistakes(runs["classes"].folder).worst[0].id


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "predictions.jsonl: No such file or directory; answer the run first"),
        ("{", "predictions.jsonl:1: not JSON"),
        ("[1]\n", "predictions.jsonl:1: not a JSON object"),
        ('{"gold": "a"}\n', "predictions.jsonl: predictions, record 1: there is no 'predicted' label; answer again"),
        (
            '{"gold": "a", "predicted": "a", "probabilities": {"a": 1}}\n{"gold": "a", "predicted": "a", '
            '"probabilities": {"b": 1}}\n',
            "predictions.jsonl: damaged, or not of the task classification (KeyError: 'a')",
        ),
    ],
)
def test_damaged_answers_are_said(runs: dict[str, Result], tmp_path: Path, content: str | None, message: str) -> None:
    folder = shutil.copytree(runs["classes"].folder, tmp_path / "run")
    file = folder / "predictions.jsonl"
    file.unlink() if content is None else file.write_text(content)
    with pytest.raises(NlpipeError) as raised:
        find_mistakes(folder)
    assert message in str(raised.value)


def test_the_command(runs: dict[str, Result], tmp_path: Path) -> None:
    folder = runs["classes"].folder
    found = find_mistakes(folder)
    shown = command("errors", folder, "--limit", 1).stdout.decode()
    assert f"{found.examples - found.wrong} of {found.examples} answers are right" in shown
    assert found.worst[0].text in shown and found.worst[-1].text not in shown
    record = json.loads(command("errors", folder, "--limit", 2, "--json").stdout)
    assert [mistake["id"] for mistake in record["worst"]] == [mistake.id for mistake in found.worst[:2]]
    assert "this is not a run's folder" in complaint("errors", tmp_path)
