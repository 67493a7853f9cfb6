"""What a language model repeats: much if it has learnt its text by heart, nothing if it cannot have."""

from __future__ import annotations

import numpy as np
import pytest

from nlpipe.audit.extraction import memorisation, usual_length
from nlpipe.audit.memorisation import Memorisation, Sampling, Share
from nlpipe.audit.numbered_texts import NumberedTexts
from nlpipe.errors import DataError, NlpipeError
from nlpipe.heads import Ngram
from nlpipe.pipeline import Pipeline
from nlpipe.stage import Tokenizer
from nlpipe.tokenizers import Characters, Regex, Whitespace

HOW = Sampling(samples=40, max_new_tokens=40, length=8, context=8)
PLANTED = "please write to anna.berg@example.org or call +49 30 1234567 and pay with 4111 1111 1111 1111 as usual today"


def texts(seed: int, count: int = 40) -> list[str]:
    """Texts of 30 words out of 60."""
    random = np.random.default_rng(seed)
    words = [f"w{i}" for i in range(60)]
    return [" ".join(random.choice(words, 30)) for _ in range(count)]


def audited(order: int, tokenizer: Tokenizer | None = None, how: Sampling = HOW, extra: str = "") -> Memorisation:
    """A model of 40 texts, each of them 20 times, with 200 times ``extra``."""
    training = texts(1) * 20 + [extra] * (200 if extra else 0)
    pipeline = Pipeline([tokenizer or Whitespace(lowercase=False), Ngram(order=order)], "language_modelling")
    return memorisation(pipeline.fit(training), training, texts(2), how)


def test_a_model_that_memorises_is_caught() -> None:
    found = audited(8)
    ours, others = found.generated, found.held_out
    assert ours.repeated is not None and others.repeated is not None
    assert ours.repeated.low > 0.3 > others.repeated.high and others.repeated.count == 0
    assert ours.continued is not None and others.continued is not None
    assert ours.continued.value > 0.9 and others.continued.value == 0
    assert ours.longest > 20 > others.longest
    assert found.passages and all(any(passage.text in text for text in texts(1)) for passage in found.passages)
    assert all(passage.times == 20 and passage.tokens >= 8 for passage in found.passages)
    sizes = [passage.tokens for passage in found.passages]
    assert sizes == sorted(sizes, reverse=True)


def test_a_model_that_knows_single_words_alone_is_not() -> None:
    found = audited(1)
    assert found.generated.repeated is not None and found.generated.continued is not None
    assert found.generated.repeated.count == 0 and found.generated.continued.count == 0 and not found.passages
    assert found.generated.repeated.high > 0  # a sample shows no zero


@pytest.mark.parametrize("tokenizer", [Whitespace(lowercase=False), Regex(lowercase=False), Characters()], ids=str)
def test_planted_personal_data_is_found_in_what_is_generated(tokenizer: Tokenizer) -> None:
    how = Sampling(samples=40, max_new_tokens=120)
    kinds = {each.kind: each for each in audited(8, tokenizer, how, PLANTED).personal_data}
    for kind, shown in (("mail address", "an•••"), ("phone number", "+4•••"), ("card number", "41•••")):
        assert kinds[kind].training == kinds[kind].repeated == 1, kind
        assert kinds[kind].examples[0].startswith(shown)
    assert kinds["IBAN"].training == kinds["IBAN"].generated == 0


def test_passages_show_no_personal_data() -> None:
    for tokenizer in (Whitespace(lowercase=False), Regex(lowercase=False)):
        found = audited(8, tokenizer, Sampling(samples=40, max_new_tokens=40), PLANTED)
        shown = [passage.text for passage in found.passages if "please write" in passage.text]
        assert shown and all("an••" in text and "example" not in text and "1111" not in text for text in shown)


def test_a_unigram_model_does_not_give_it_away() -> None:
    kinds = {each.kind: each for each in audited(1, extra=PLANTED).personal_data}
    assert kinds["phone number"].training == 1 and kinds["phone number"].repeated == 0


def test_the_same_seed_gives_the_same() -> None:
    assert audited(3).record() == audited(3).record() != audited(3, how=Sampling(40, 40, 8, 8, seed=1)).record()


def test_the_usual_length_is_that_of_ten_words() -> None:
    given = ["abcd efgh ijkl"] * 20
    assert usual_length(NumberedTexts(given, Whitespace(lowercase=False))) == 10
    assert usual_length(NumberedTexts(["ab cd"] * 20, Characters())) == 25
    assert usual_length(NumberedTexts(["abcdefghij" * 20] * 20, Characters())) == 50


def test_excerpts_and_prefixes_come_from_any_place() -> None:
    given = ["a b c d e f", "g", "h i j"]
    numbered = NumberedTexts(given, Whitespace(lowercase=False))
    assert numbered.bordered().tolist() == [0, 1, 2, 3, 4, 5, -1, 6, -1, 7, 8, 9, -1]
    random = np.random.default_rng(13)
    excerpts = {tuple(ids.tolist()) for ids in numbered.excerpts([3] * 200, random)}
    assert excerpts == {(0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (7, 8, 9)}
    assert [len(ids) for ids in numbered.excerpts([100, 1], random)] == [6, 1]
    prefixes = {(prefix.prompt, prefix.following) for prefix in numbered.prefixes(100, 2, 1, random)}
    assert prefixes == {("a b", ("c",)), ("b c", ("d",)), ("c d", ("e",)), ("d e", ("f",)), ("h i", ("j",))}
    assert numbered.prefixes(100, 5, 2, random) == []


def test_shares_have_intervals() -> None:
    share = Share.of([1, 0, 3, 0, 0], [10, 10, 10, 0, 10])
    assert share is not None and (share.count, share.total, share.value) == (4, 40, 0.1)
    assert 0 <= share.low < 0.1 < share.high <= 1
    assert Share.of([0, 0], [0, 0]) is None
    one = Share.of([1], [1])
    assert one is not None and (one.low, one.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "samples: invalid value 1: expected an integer from 2"),
        ({"max_new_tokens": 0}, "max_new_tokens: invalid value 0"),
        ({"length": 1}, "length: invalid value 1"),
        ({"context": 0}, "context: invalid value 0"),
        ({"seed": -1}, "seed: invalid value -1"),
        ({"length": 50, "max_new_tokens": 20}, "length: 50 is above max_new_tokens, which is 20"),
    ],
)
def test_values_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(NlpipeError, match=message):
        Sampling(**options)


def test_texts_without_tokens_are_told() -> None:
    model = Pipeline([Whitespace(lowercase=False), Ngram(order=2)], "language_modelling").fit(texts(1))
    for training, held_out, name in (([" "], texts(2), "training"), (texts(1), [], "held-out")):
        with pytest.raises(DataError, match=f"the {name} texts have no tokens"):
            memorisation(model, training, held_out, HOW)
