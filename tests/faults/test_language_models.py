"""What people give a language model by mistake: a clear message with status 2, or the right answer at the edge."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

import nlpipe
from nlpipe.errors import NlpipeError
from nlpipe.integrations.sklearn import PipelineClassifier
from nlpipe.long_texts import with_broken_words
from nlpipe.metrics.metric import shown_score
from nlpipe.pipeline import Pipeline
from nlpipe.registry import slot
from nlpipe.wire import Text
from tests.commands import complaint, refusal
from tests.commands import nlpipe as command
from tests.tiny_models import write_encoder

pytestmark = pytest.mark.usefixtures("unmeasured")

WORDS = "{name: whitespace, lowercase: false}"


def corpus(folder: Path, text: str = "the cat sat on the mat\nthe dog ran\na cat ran\n" * 5) -> str:
    for name in ("train", "dev", "test"):
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    files = ", ".join(f"{name}: {folder / name}.txt" for name in ("train", "dev", "test"))
    return f"data: {{task: language_modelling, documents: line, {files}}}\n"


def write(folder: Path, rest: str, **given: Any) -> Path:
    file = folder / "p.yaml"
    file.write_text(corpus(folder, **given) + rest, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lm")
    file = write(folder, f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 3}}\n")
    done = command("run", file, "--out", folder / "runs")
    assert done.returncode == 0, done.stderr
    return next((folder / "runs").glob("p-*"))


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        (f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 0}}\n", "order"),
        (f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 50}}\n", "order"),
        ("representation: embedding\nencoder: {name: lstm, bidirectional: true}\nhead: language_model\n",
         "it would read the answer; set bidirectional: false"),
        ("representation: embedding\nencoder: transformer\nhead: language_model\n", "set causal: true"),
        ("representation: embedding\nencoder: convolution\nhead: language_model\n", "causal encoders: gru, lstm, rnn"),
        ("representation: tfidf\nhead: language_model\n", "takes Sequences, but"),
        ("representation: embedding\nencoder: {name: transformer, causal: true, positions: learned, max_length: 8}\n"
         "head: {name: language_model, context: 16}\n",
         "p.yaml:3:10: encoder: 'transformer' has 8 positions, and head 'language_model' reads 16 tokens together; set "
         "its max_length to 16, or context: 8"),
        ("head: translation_memory\n", "is no language model; heads that are: "),
        ("representation: embedding\nencoder: lstm\nhead: {name: interpolated, models: [ngram]}\n",
         "expected one neural language model"),
        ("representation: embedding\nencoder: lstm\nhead: {name: interpolated, models: [classifier, ngram]}\n",
         "Classifier is no language model"),
        ("representation: embedding\nencoder: lstm\n"
         "head: {name: interpolated, models: [language_model, {name: ngram, min_count: 3}]}\n",
         "models: all models share the vocabulary of the representation; set min_count there, and leave it out here"),
        ("representation: new_bert\nhead: masked_language_model\n", "is no language model"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_language_model_is_told_why(tmp_path: Path, rest: str, message: str) -> None:
    done = command("run", write(tmp_path, rest), "--out", tmp_path / "runs")
    assert message in refusal(done)


@pytest.mark.parametrize(
    "text", ["word", "word " * 30_000, "x" * 300_000, "\n\n a \n"], ids=["one", "long", "giant", "blank"]
)
def test_corpora_at_the_edge_have_a_model(tmp_path: Path, text: str) -> None:
    file = write(tmp_path, f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 5}}\n", text=text)
    done = command("run", file, "--out", tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    metrics = json.loads(next((tmp_path / "runs").glob("p-*/metrics.json")).read_text())
    assert metrics["scores"]["perplexity_per_word"] >= 1.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--temperature", "-1"], "--temperature: invalid value -1.0"),
        (["--temperature", "nan"], "--temperature: invalid value nan"),
        (["--top-k", "0"], "--top-k: invalid value 0"),
        (["--top-p", "0"], "--top-p: invalid value 0.0"),
        (["--top-p", "1.5"], "--top-p: invalid value 1.5"),
        (["--max-new-tokens", "0"], "--max-new-tokens: invalid value 0"),
        (["--beam", "3", "--temperature", "0.5"], "--beam: a beam search draws nothing"),
        (["--stop", ""], "--stop: an empty text ends every continuation at once"),
        (["--stop", "a", "--beam", "3"], "--stop: a beam search does not stop at a text; leave out stop, or beam"),
        (["-n", "2", "--beam", "3"], "--count: 2 texts for each prompt are drawn, and would all be the same"),
        (["-n", "2", "--temperature", "0"], "--count: 2 texts for each prompt are drawn, and would all be the same"),
        (["--max-new-tokens", "1" + "0" * 20], "--max-new-tokens: invalid value 100000000000000000000: expected an"),
        (["--seed", "1" + "0" * 20], "--seed: invalid value 100000000000000000000: expected an integer from 0 to 4,2"),
        (["--beam", "10000000"], "--beam: invalid value 10000000: expected an integer from 1 to 10,000"),
        (["--format", "xml"], "invalid value 'xml' for --format"),
    ],
)
def test_options_of_generation_out_of_range(run: Path, arguments: list[str], message: str) -> None:
    assert message in complaint("generate", run, *arguments)


def test_nothing_is_written_before_an_error(run: Path, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    assert command("run", tmp_path / "c.yaml", "--out", tmp_path / "runs").returncode == 0
    done = command("generate", next((tmp_path / "runs").glob("c-*")), "--prompt", "a film")
    assert done.returncode == 2 and done.stdout == b"", done.stdout
    done = command("generate", run, "--prompt", "the", "--max-new-tokens", "1", "--temperature", "0")
    assert done.stdout == b"the cat\n" or done.stdout == b"the dog\n", done.stdout


def test_prompts_of_a_file_in_another_encoding(run: Path, tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text("the cat\nthe\n", encoding="utf-16")
    arguments = ["generate", run, "--file", tmp_path / "prompts.txt", "--max-new-tokens", "1"]
    assert "write encoding: utf-16" in complaint(*arguments)
    lines = command(*arguments, "--encoding", "utf-16").stdout.decode().splitlines()
    assert len(lines) == 2 and lines[0].startswith("the cat")


def test_options_of_generation_in_python_are_checked_too(run: Path) -> None:
    pipeline = Pipeline.load(run)
    for given in ({"max_new_tokens": 2.5}, {"top_k": "3"}, {"seed": True}, {"beam": 2.0}):
        with pytest.raises(NlpipeError, match="expected an integer"):
            pipeline.generate(["the"], **given)
    one, other = (pipeline.generate(["the"], temperature=t, max_new_tokens=9)[0] for t in (0, 5e-324))
    assert one.text == other.text  # so cold that it is the most probable token


def test_python_is_told_too(run: Path, tmp_path: Path) -> None:
    pipeline = Pipeline.load(run)
    for given, message in (
        ({"prompts": "the"}, "prompts: expected a list of texts, not one text: write .text."),
        ({"prompts": None}, "prompts: expected a list of texts, not None"),
        ({"prompts": ["a", None]}, r"prompts\[1\]: None"),
        ({"prompts": ["a"], "temperature": "hot"}, "temperature: invalid value 'hot': expected a number"),
        ({"prompts": ["a"], "temperature": None}, "temperature: invalid value None: expected a number"),
        ({"prompts": ["a"], "stop": [1]}, r"stop\[0\]: 1 .int. is not a text"),
    ):
        with pytest.raises(NlpipeError, match=message):
            pipeline.generate(**given)  # type: ignore[arg-type]
    one, other = (pipeline.generate(["the"], stop=stop, temperature=0)[0].text for stop in ("dog", ("dog",)))
    assert one == other == "the dog"
    new = nlpipe.load(write(tmp_path, f"tokenizer: {WORDS}\nhead: ngram\n"))
    for use in (new.generate, new.surprisals):
        with pytest.raises(NlpipeError, match="the pipeline is not fitted: call fit first, or load a saved one"):
            use(["the"])
    with pytest.raises(NlpipeError, match="a language model predicts the texts themselves: leave the targets out"):
        new.fit(["the cat"], ["a label"])
    with pytest.raises(NlpipeError, match=r"dev: expected two lists, \(texts, targets\)"):
        new.fit(["the cat"], dev=["the dog"])  # type: ignore[arg-type]
    with pytest.raises(NlpipeError, match="is for language_modelling, but a classifier needs one for classification"):
        PipelineClassifier(tmp_path / "p.yaml").fit(["a b", "b a"], [0, 1])


def test_the_probability_of_what_is_written_is_that_of_its_score(run: Path) -> None:
    pipeline = Pipeline.load(run)
    ways: list[dict[str, Any]] = [{"temperature": 0}, {"seed": 3}, {"stop": ("dog",)}]
    for how in ways:
        for found in pipeline.generate(["the", "a cat"], max_new_tokens=4, **how):
            nats = pipeline.surprisals([found.text])[0].nats
            with_end = found.ended and not any(stop in found.text for stop in how.get("stop", ()))
            assert found.log_probability == pytest.approx(-float(nats.sum() if with_end else nats[:-1].sum()), abs=1e-3)


def test_edges_of_generation(run: Path) -> None:
    pipeline = Pipeline.load(run)
    with pytest.warns(UserWarning, match="top_k: 1,000 is more than the"):
        assert pipeline.generate(["the"], top_k=1000)[0].text.startswith("the")
    with pytest.warns(UserWarning, match="the model does not know 'xyzzy'"):
        assert pipeline.generate(["xyzzy"], temperature=0)[0].text.startswith("xyzzy")
    long = " ".join(["the cat"] * 400)
    assert pipeline.generate([long], max_new_tokens=3)[0].text.startswith(long)
    assert pipeline.generate([""], temperature=0)[0].prompt == ""
    assert pipeline.generate([]) == []
    stopped = pipeline.generate(["the"], stop=("dog",), temperature=0, max_new_tokens=20)[0]
    assert stopped.ended and stopped.text == "the dog"


def test_commands_of_language_models_need_one(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: sample_reviews\nrepresentation: bow\nhead: naive_bayes\n")
    assert command("run", file, "--out", tmp_path / "runs").returncode == 0
    other = next((tmp_path / "runs").glob("c-*"))
    for arguments in (["generate", other, "--prompt", "a"], ["score", other, "a"]):
        assert "is no language model" in complaint(*arguments)
    assert "fills no gaps" in complaint("fill", run, "a [MASK]")
    assert "neither a run of nlpipe nor a model" in complaint("fill", tmp_path / "nowhere", "a [MASK]")


def test_scores_are_lines_tokens_records_or_a_page(run: Path) -> None:
    line = command("score", run, "the cat <b>sat</b>").stdout.decode()
    total, text = line.rstrip("\n").split("\t")
    assert text == "the cat <b>sat</b>" and float(total) < 0
    record = json.loads(command("score", run, "the cat <b>sat</b>", "--format", "jsonl").stdout)
    assert record["log_probability"] == pytest.approx(float(total), abs=1e-4)
    assert len(record["bits"]) == len(record["tokens"]) + 1 == 4
    assert [record["text"][start:end] for start, end in record["spans"]] == record["tokens"]
    page = command("score", run, "the cat <b>sat</b>", "--format", "html").stdout.decode()
    assert "&lt;b&gt;sat&lt;/b&gt;" in page and "<b>" not in page and "http" not in page


def test_what_a_language_model_has_no_answer_to_is_told(run: Path) -> None:
    done = command("errors", run)
    assert "nlpipe score RUN --file TEXTS --format html" in refusal(done)


def test_plain_text_is_evaluated_whatever_the_training_data_was(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.csv").write_text("text\n" + "the cat sat and slept\nthe dog ran\n" * 5, encoding="utf-8")
    files = ", ".join(f"{name}: {tmp_path / name}.csv" for name in ("train", "dev", "test"))
    file = tmp_path / "p.yaml"
    data = f"data: {{task: language_modelling, {files}}}\n"
    file.write_text(f"{data}tokenizer: {WORDS}\nhead: {{name: ngram, order: 2}}\n", encoding="utf-8")
    assert command("run", file, "--out", tmp_path / "runs").returncode == 0
    (tmp_path / "new.txt").write_text("the cat ran, it did\n", encoding="utf-8")
    done = command("evaluate", next((tmp_path / "runs").glob("p-*")), tmp_path / "new.txt")
    assert done.returncode == 0 and b"log_perplexity_per_word" in done.stdout, done.stderr


def test_a_text_to_start_from(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("the cat sat on the mat\nthe dog ran\na cat ran\n" * 40, encoding="utf-8")
    done = command("init", book)
    assert "--task language_modelling" in refusal(done)
    done = command("init", book, "--task", "language_modelling", "-o", tmp_path / "start.yaml")
    assert done.returncode == 0 and "documents: line" in (tmp_path / "start.yaml").read_text(), done.stderr
    done = command("compare", tmp_path / "start_compare.yaml", "--out", tmp_path / "runs")
    assert done.returncode == 0 and b"generate" in done.stdout, done.stderr
    done = command("init", book, "--task", "language_modelling", "--text", "body")
    assert "plain text has no columns" in refusal(done)


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ('{"score": -20.5}\n{"log_probability": -9}\n{"score": -10}\n' * 5, ""),
        ("-20.5\n-9\n-10\n" * 5, ""),
        ('{"score": 0.3}\n' * 15, "a.jsonl:1: 'score' is '0.3'; expected the log-probability of the whole text"),
        ('{"score": null}\n' * 15, "a.jsonl:1: 'score' is None"),
        ('{"other": 1}\n' * 15, "a.jsonl:1: 'score' is None"),
        ('{"score": -1}\n' * 14, "14 answers to 15 test items"),
    ],
)  # fmt: skip
def test_probabilities_from_elsewhere_are_a_row(tmp_path: Path, answers: str, message: str) -> None:
    given = tmp_path / ("a.jsonl" if answers.startswith("{") else "a.txt")
    given.write_text(answers, encoding="utf-8")
    (tmp_path / "p.yaml").write_text(f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 2}}\n", encoding="utf-8")
    file = tmp_path / "compare.yaml"
    file.write_text(f"{corpus(tmp_path)}pipelines: [p.yaml, {{predictions: {given}, name: theirs}}]\n")
    done = command("compare", file, "--out", tmp_path / "runs")
    if message:
        assert message in refusal(done)
    else:
        assert done.returncode == 0 and b"theirs" in done.stdout, done.stderr


def test_messages_about_data_say_what_is_wrong(run: Path, tmp_path: Path) -> None:
    file = write(tmp_path, f"tokenizer: {WORDS}\nhead: ngram\n")
    assert "invalid value None: expected a file or a list of files" in complaint("run", file, "data.train=null")
    assert command("run", file, "data.dev=null", "--out", tmp_path / "runs").returncode == 0
    masked = tmp_path / "masked.yaml"
    masked.write_text(corpus(tmp_path).replace("{task: ", "{task: masked_") + "representation: new_bert\n"
                      "head: masked_language_model\n")  # fmt: skip
    said = complaint("compare", file, masked)
    assert "different data (task: language_modelling, masked_language_modelling)" in said
    (tmp_path / "a.jsonl").write_text('{"body": "the cat"}\n', encoding="utf-8")
    assert "no field 'text'; there are: body; say which with --field" in complaint(
        "score", run, "--file", tmp_path / "a.jsonl"
    )


def test_white_space_that_is_not_predicted_is_told_of(tmp_path: Path) -> None:
    rest = f"tokenizer: {WORDS}\nhead: {{name: ngram, order: 2}}\n"
    done = command("run", write(tmp_path, rest), "--out", tmp_path / "runs")
    assert done.returncode == 0 and b"white space" not in done.stderr
    text = "the cat  sat\ton the mat\nthe dog ran\na cat ran\n" * 5
    done = command("run", write(tmp_path, rest, text=text), "--out", tmp_path / "runs")
    message = "does not keep white space as it is ('the cat  sat"
    assert done.returncode == 0 and message in done.stderr.decode(), done.stderr


def test_a_huge_perplexity_is_a_power_of_ten() -> None:
    assert (shown_score(0.12345), shown_score(-3.0), shown_score(float("inf"))) == ("0.1235", "-3.0000", "inf")
    assert shown_score(1e304) == "1.00e+304"


@pytest.mark.parametrize("kind", ["roberta", "electra", "gpt2"])
def test_only_a_bert_goes_on_with_its_pre_training(tmp_path: Path, kind: str) -> None:
    import transformers

    write_encoder("bert", tmp_path / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    tokenizer.save_pretrained(tmp_path / "model")
    size = {"vocab_size": len(tokenizer), "num_attention_heads": 2, "num_hidden_layers": 1, "hidden_size": 8}
    config = transformers.AutoConfig.for_model(kind, **size)
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "model")
    rest = (
        f"representation: {{name: bert, model: {tmp_path / 'model'}, trainable: true}}\nhead: masked_language_model\n"
    )
    file = write(tmp_path, rest)
    file.write_text(file.read_text().replace("task: language", "task: masked_language"))
    said = complaint("run", file, "--out", tmp_path / "runs")
    assert f"model is a {kind}; masked_language_model goes on with the training of a BERT alone" in said


@pytest.mark.parametrize("name", ["bpe", "wordpiece", "unigram"])
def test_pieces_are_learned_from_a_giant_word_in_time(name: str) -> None:
    """Learners take time with the square of a word's length: minutes for this one."""
    word = "".join("abcdefgh"[i * i % 29 % 8] for i in range(300_000))
    tokenizer = slot("tokenizer").load(name)(vocabulary_size=60)
    began = time.process_time()
    tokenizer.fit([(Text([word]), None)])
    assert time.process_time() - began < 30
    assert with_broken_words(["a b", "x" * 1000, "y" * 1001]) == ["a b", "x" * 1000, "y" * 1000 + " y"]
