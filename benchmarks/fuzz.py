"""1,000 damaged files of four kinds: pipelines, cards, data and saved models, each given to the command that reads it.

A file is damaged in one to three places, chosen by the seed: bytes flipped, cut, repeated, swapped or replaced by what
is known to hurt (huge numbers, deep nesting, NaN, surrogates, tags of YAML). A case is good if the command ends with
status 0 or 2, without a traceback, within 5 seconds of processor time, with at most 1 GB more than the process that
starts it.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpipe import Pipeline, heads, representations, tokenizers

SECONDS, BYTES = 5.0, 10**9
WAIT = 60
"""Seconds by the clock, after which a command is taken to wait for something that does not come."""
CASES = 250
"""Of each kind."""

HURTFUL = [
    b"9" * 5000, b"1e999", b"-1", b"NaN", b".nan", b"[" * 2000, b"{" * 500, b"\\ud800", b"\xff\xfe", b"\x00", b"# ",
    b"1.5", b"!!python/object:os", b"&a [*a, *a]", b"2020-01-01", b"\\UFFFFFFFF", b"null", b"true", b"''", b'"', b"\r",
    b"\t", b"\xef\xbb\xbf", b"../../../etc/passwd", b"/dev/zero", b"\xe2\x80\xa8", b"[]", b"{}", b"\n\n\n", b"msgid",
]  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A kind of file: its valid examples, and the command that reads the damaged one.

    Args:
        files: names in the folder of the case that are damaged, one a case.
        command: arguments of ``nlpipe``; ``{}`` is the damaged file.
    """

    name: str
    files: tuple[str, ...]
    command: tuple[str, ...]


PIPELINES = {
    "nb.yaml": "data: card.yaml\ntokenizer: {name: regex, lowercase: true}\n"
    "representation: {name: bow, ngrams: [1, 2]}\nhead: {name: naive_bayes, alpha: 1.0}\nseed: 3\n",
    "lr.yaml": "name: lr\ndata:\n  task: classification\n  train: data.csv\n  columns: {text: text, label: label}\n"
    "representation: {name: tfidf, min_count: 1, sublinear: true}\nhead: {name: logistic_regression, C: 2}\n",
    "varied.yaml": "data: card.yaml\nrepresentation: bow\nhead: naive_bayes\nvary:\n  head.alpha: [0.5, 1]\n",
}
CARD = (
    "name: small\ntask: classification\nsource:\n  kind: file\n  train: [data.csv]\nformat: csv\n"
    "columns: {text: text, label: label}\nencoding: utf-8\nlabels: {good: good, bad: bad}\nreplace: {'/ +/': ' '}\n"
    "splits: {dev: 0.2, test: 0.2, seed: 1}\nlicence: none\n"
)


def prepare(folder: Path) -> list[Kind]:
    """Write valid files of each kind into ``folder``."""
    words = [(one, other) for one in ("fine", "great", "dull", "poor") for other in ("big", "old", "new") * 2]
    rows = [
        (f"{one} {other} film {i}", "good" if one in ("fine", "great") else "bad")
        for i, (one, other) in enumerate(words)
    ]
    (folder / "data.csv").write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in rows))
    (folder / "data.tsv").write_text("text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in rows))
    (folder / "data.jsonl").write_text("".join(json.dumps({"text": t, "label": label}) + "\n" for t, label in rows))
    tagged = "".join(f"Anna{i}\tB-PER\nsaw\tO\nOslo\tB-LOC\n\n" for i in range(20))
    (folder / "data.conll").write_text(tagged)
    spans = [{"text": f"Anna{i} saw Oslo", "entities": [[0, 4 + len(str(i)), "PER"]]} for i in range(20)]
    (folder / "spans.jsonl").write_text("".join(json.dumps(record) + "\n" for record in spans))
    (folder / "data.po").write_text("".join(f'msgid "the {i} dog"\nmsgstr "der {i} Hund"\n\n' for i in range(20)))
    (folder / "card.yaml").write_text(CARD)
    for name, content in PIPELINES.items():
        (folder / name).write_text(content)
    bow = "representation: bow\nhead: naive_bayes\n"
    for form in ("csv", "tsv", "jsonl"):
        (folder / f"run_{form}.yaml").write_text(f"data: {{task: classification, train: data.{form}}}\n{bow}")
    window = "representation: window\nhead: {name: perceptron, epochs: 2}\n"
    (folder / "run_conll.yaml").write_text(f"data: {{task: tagging, train: data.conll}}\n{window}")
    columns = "columns: {text: text, entities: entities}"
    (folder / "run_spans.yaml").write_text(f"data: {{task: tagging, train: spans.jsonl, {columns}}}\n{window}")
    memory = "representation: bow\nhead: translation_memory\n"
    (folder / "run_po.yaml").write_text(f"data: {{task: translation, format: po, train: data.po}}\n{memory}")
    texts, labels = [text for text, _ in rows], [label for _, label in rows]
    stages = [tokenizers.Regex(), representations.TfIdf(), heads.LogisticRegression()]
    Pipeline(stages).fit(texts, labels).save(folder / "classifier")
    forest = heads.Estimator("RandomForestClassifier", {"n_estimators": 3})
    Pipeline([tokenizers.Regex(), representations.BagOfWords(), forest]).fit(texts, labels).save(folder / "forest")
    sentences = [["Anna", "saw", "Oslo"], ["Bob", "left"]] * 3
    tags = [["B-PER", "O", "B-LOC"], ["B-PER", "O"]] * 3
    tagging = [tokenizers.Regex(lowercase=False), representations.Window(), heads.Perceptron()]
    Pipeline(tagging, "tagging").fit(sentences, tags).save(folder / "tagger")
    models = tuple(
        f"{model}/{path.name}"
        for model in ("classifier", "forest", "tagger")
        for path in sorted((folder / model).iterdir())
    )
    data = ("data.csv", "data.tsv", "data.jsonl", "data.conll", "spans.jsonl", "data.po")
    return [
        Kind("pipelines", tuple(PIPELINES), ("run", "{}", "--out", "runs")),
        Kind("cards", ("card.yaml",), ("run", "nb.yaml", "--out", "runs")),
        Kind("data", data, ("run", "run_{}.yaml", "--out", "runs")),
        Kind("models", models, ("predict", "{}", "a fine film", "Anna saw Oslo", "")),
    ]


def damaged(content: bytes, draw: random.Random) -> bytes:
    """``content`` with one to three changes."""
    for _ in range(draw.randint(1, 3)):
        start, other = draw.randrange(len(content) + 1), draw.randrange(len(content) + 1)
        end = min(len(content), start + draw.choice([1, 1, 4, 20, 200]))
        how = draw.randrange(7)
        if how == 0 and start < len(content):
            content = content[:start] + bytes([content[start] ^ (1 << draw.randrange(8))]) + content[start + 1 :]
        elif how == 1:
            content = content[:start] + content[end:]
        elif how == 2:
            content = content[:start]
        elif how == 3:
            content = content[:other] + content[start:end] * draw.choice([1, 2, 50]) + content[other:]
        elif how == 4:
            content = content[:start] + draw.choice(HURTFUL) + content[end:]
        elif how == 5:
            content = content[:start] + draw.choice(HURTFUL) + content[start:]
        else:
            lines = content.split(b"\n")
            draw.shuffle(lines)
            content = b"\n".join(lines)
        content = content or b" "
    return content


def attempt(arguments: list[str], folder: Path) -> tuple[str, str]:
    """Run one command in a child process; what was wrong (empty if nothing was), and the end of what it said."""
    said = folder / "said.txt"
    inherited = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    child = os.fork()
    if not child:
        _run(arguments, folder, said)
    _, status, usage = os.wait4(child, 0)
    seconds, text = usage.ru_utime + usage.ru_stime, said.read_text(encoding="utf-8", errors="replace")
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM or seconds > SECONDS:
        return f"more than {SECONDS:.0f} s" if seconds > SECONDS else f"nothing for {WAIT} s", text[-500:]
    if "Traceback (most recent call last)" in text:
        return "traceback", text[-500:]
    used = usage.ru_maxrss * 1024 - inherited
    if used > BYTES:
        return f"{used / 1e9:.1f} GB", text[-500:]
    return ("" if code in (0, 2) else f"status {code}"), text[-500:]


def _run(arguments: list[str], folder: Path, said: Path) -> None:
    """In the child: become the command; never return."""
    resource.setrlimit(resource.RLIMIT_AS, (8 * BYTES, 8 * BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * int(SECONDS), 2 * int(SECONDS)))
    signal.alarm(WAIT)
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(folder)
    sys.argv = ["nlpipe", *arguments]
    status = 0
    try:
        from nlpipe.__main__ import main

        main()
    except SystemExit as error:
        status = error.code if isinstance(error.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
        status = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def fuzz(cases: int, seed: int, report: Any = print) -> list[tuple[str, int, Counter[str]]]:
    """For each kind, its name, how many of ``cases`` files were good, and what was wrong with the others."""
    import nlpipe.cli.run_commands
    import nlpipe.runs.measure

    _ = nlpipe
    draw = random.Random(seed)
    results = []
    with tempfile.TemporaryDirectory() as temporary:
        valid = Path(temporary) / "valid"
        valid.mkdir()
        kinds = prepare(valid)
        for kind in kinds:
            faults: Counter[str] = Counter()
            for number in range(cases):
                folder = Path(temporary) / "case"
                shutil.copytree(valid, folder)
                name = draw.choice(kind.files)
                (folder / name).write_bytes(damaged((folder / name).read_bytes(), draw))
                place = {
                    "models": name.partition("/")[0],
                    "data": "spans" if "spans" in name else name.rpartition(".")[2],
                }
                arguments = [part.replace("{}", place.get(kind.name, name)) for part in kind.command]
                fault, said = attempt(arguments, folder)
                if fault:
                    faults[fault] += 1
                    report(f"{kind.name} {number} (seed {seed}): {name}: {fault}\n{said}")
                shutil.rmtree(folder)
            results.append((kind.name, cases - sum(faults.values()), faults))
    return results


def measure() -> dict[str, Any]:
    """Damage 250 files of each kind."""
    rows = []
    for name, good, faults in fuzz(CASES, seed=int(os.environ.get("FUZZ_SEED", "1"))):
        rows.append([name, CASES, good, ", ".join(f"{count} {fault}" for fault, count in faults.items()) or "none"])
        print("  ".join(map(str, rows[-1])), flush=True)
    return {"table": [["files", "damaged", "status 0 or 2, no traceback, in bounds", "others"], *rows]}
