"""The word-by-word translator against exhaustive search, and what it must do with odd words."""

from __future__ import annotations

import itertools
import subprocess
import sys

import numpy as np
import pytest

from nlpipe.datasets import load_dataset
from nlpipe.errors import DataError
from nlpipe.heads import Lexical
from nlpipe.heads.lexical import _best_distinct
from nlpipe.metrics.text_metrics import bleu
from nlpipe.pipeline import Pipeline
from nlpipe.tokenizers import Characters, Regex, Whitespace
from nlpipe.vocabulary import END
from nlpipe.wire import Text, Tokens

EN = ["the house is old", "the house is big", "a house", "the old cat sleeps", "a big cat", "the cat is old", "big"]
DE = ["das Haus ist alt", "das Haus ist groß", "ein Haus", "die alte Katze schläft", "eine große Katze",
      "die Katze ist alt", "groß"]  # fmt: skip


def fitted(**options):
    return Pipeline([Whitespace(), Lexical(Whitespace(lowercase=False), **options)], "translation").fit(EN, DE)


@pytest.mark.parametrize("language", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("bonus", [0.0, 2.0])
def test_a_wide_beam_is_exhaustive_search(language, bonus):
    pipeline = fitted(candidates=3, beam=300, order=3, language=language, bonus=bonus)
    head = pipeline.head
    for text in ["the house", "a big cat sleeps", "big", "old the a"]:
        ids = head.sources.ids(text.split())
        best = -np.inf
        for choice in itertools.product(range(3), repeat=len(ids)):
            logs = head.table.logs[ids, choice]
            if not np.isfinite(logs).all():
                continue
            words = [w for s, c in zip(ids, choice, strict=True) for w in head.table.strings[s, c].tolist() if w >= 0]
            history, total = head.model.begin(1), logs.sum() + bonus * len(words)
            for word in [*words, head.targets.id(END)]:
                log, history = head.model.step(history, np.array([word]))
                total += language * log[0]
            best = max(best, total)
        words, _, scores = head._search(Whitespace().forward(Text([text])))
        assert scores[0] == pytest.approx(best)
        assert pipeline.predict([text]).scores[0] == pytest.approx(best - bonus * len(words[0]))


def test_a_wider_beam_is_never_worse():
    texts = [*EN, "the big old cat is a house", "a a a a"]
    source = Whitespace().forward(Text(texts))
    scores = [fitted(beam=beam, bonus=1.0).head._search(source)[2] for beam in (1, 300)]
    assert (scores[1] >= scores[0] - 1e-9).all()


def test_it_translates_what_it_learnt():
    translations = fitted().predict(["the old house", "a cat", "the cat is big"]).values.strings
    for text, words in zip(translations, ({"Haus"}, {"Katze"}, {"Katze", "ist", "groß"}), strict=True):
        assert words <= set(text.split())


def test_scores_are_no_better_than_certain():
    assert (fitted(bonus=3.0).predict([*EN, "zzz", ""]).scores <= 0).all()


def test_unknown_words_are_copied_as_the_text_has_them():
    pipeline = Pipeline([Regex(), Lexical(Regex(lowercase=False))], "translation").fit(EN, DE)
    assert pipeline.predict(["Zürich XIV", "", "  "]).values.strings == ["Zürich XIV", "", ""]


def test_attention_says_where_words_come_from():
    head = fitted().head
    source = Whitespace().forward(Text(["the house is Xyz", ""]))
    (words, translations, matrix), empty = head.attend(source)
    assert words == ["the", "house", "is", "xyz"]
    assert " ".join(translations) == head.predict(source).values.strings[0]
    assert matrix.shape == (len(translations), 4)
    np.testing.assert_array_equal(matrix.sum(axis=1), 1.0)
    assert words[matrix[translations.index("Haus")].argmax()] == "house"
    assert translations[-1] == "Xyz"
    assert matrix[-1].argmax() == 3
    assert empty[0] == empty[1] == []


def test_the_dev_split_decides_the_length():
    head = fitted().head
    source = Whitespace().forward(Text(EN))
    lengths = {}
    for name, targets in (("short", ["x"] * len(EN)), ("long", [f"{text} {text}" for text in DE])):
        head.calibrate([(source, Text(targets))])
        lengths[name] = (head.word_bonus, sum(len(text.split()) for text in head.predict(source).values.strings))
    assert lengths["short"] < lengths["long"]
    fixed = fitted(bonus=0.25).head
    fixed.calibrate([(source, Text(DE))])
    assert fixed.word_bonus == 0.25


def test_nothing_to_learn_from():
    with pytest.raises(DataError, match="no training pair has words on both sides"):
        Pipeline([Regex(), Lexical(Regex())], "translation").fit(["", "a"], ["b", " "])


def test_letters_to_letters():
    data = load_dataset("sample_spelling")
    pipeline = Pipeline([Characters(), Lexical(Characters())], "translation").fit_split(data.train, data.dev)
    translations = pipeline.predict(data.test.inputs).values.strings
    correct = sum(a == b for a, b in zip(translations, data.test.targets.strings, strict=True))
    copied = sum(a == b for a, b in zip(data.test.inputs.strings, data.test.targets.strings, strict=True))
    assert correct > 20 > copied


def test_the_sample_is_learnt():
    data = load_dataset("sample_translation")
    pipeline = Pipeline([Regex(), Lexical(Regex(lowercase=False))], "translation").fit_split(data.train, data.dev)
    predictions = pipeline.predict(data.train.inputs)
    assert bleu()(data.train.targets, predictions)["bleu"] > 50


def test_of_equal_histories_the_best_is_taken():
    scores = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])
    states = np.array([[[1, 1], [1, 1], [2, 1], [1, 1], [3, 1]]])
    assert _best_distinct(scores, states, 2).tolist() == [[0, 2]]
    assert _best_distinct(scores, states, 4).tolist() == [[0, 2, 4, 1]]


def test_2000_words_and_very_many_unknown():
    translations = fitted().predict(["the cat " * 1000, "ž " * 2000]).values.strings
    assert len(translations) == 2
    assert translations[1] == " ".join(["ž"] * 2000)


def test_tokens_of_data_that_comes_split():
    head = fitted().head
    translations = head.predict(Tokens.from_words([["the", "Neue Heimat"]])).values.strings
    assert translations[0].endswith("Neue\u00a0Heimat")


def test_classical_translation_loads_no_torch():
    code = (
        "import sys\nfrom nlpipe.datasets import load_dataset\nfrom nlpipe.heads import Lexical, TranslationMemory\n"
        "from nlpipe.pipeline import Pipeline\nfrom nlpipe.representations import TfIdf\n"
        "from nlpipe.tokenizers import Regex\ndata = load_dataset('sample_translation')\n"
        "for stages in ([Regex(), TfIdf(), TranslationMemory()], [Regex(), Lexical(Regex())]):\n"
        "    found = Pipeline(stages, 'translation').fit_split(data.train, data.dev).predict(data.test.inputs)\n"
        "    assert [m(data.test.targets, found) for m in data.task.metrics(())]\n"
        "print(sorted({'torch', 'transformers', 'sacrebleu', 'gensim', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
