"""Time JoeyNMT with the same weights; run by the interpreter of its environment.

Arguments: the folder of our pipeline, options as JSON as in `nlpipe_decoding.py`. The input and output of its search
are token ids, so that it does less work than nlpipe.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch
from joeynmt.batch import Batch
from joeynmt.model import build_model
from joeynmt.search import search
from joeynmt.vocabulary import Vocabulary
from torch import Tensor, nn

from nlpipe.pipeline import Pipeline
from nlpipe.wire import Text

PAD, UNKNOWN, START, END = 1, 0, 2, 3
"""Ids of JoeyNMT's special tokens; nlpipe has the first two in reverse order."""


def convert(pipeline: Pipeline) -> Any:
    """A JoeyNMT model with the weights of our pipeline, ordered by JoeyNMT's token ids."""
    embedding, encoder, head = pipeline.stages[1:]
    words = [f"w{i}" for i in range(4, len(embedding.vocabulary))]  # type: ignore[attr-defined]
    specials = SimpleNamespace(
        unk_token="<unk>", unk_id=0, pad_token="<pad>", pad_id=1, bos_token="<s>", bos_id=2, eos_token="</s>",
        eos_id=3, sep_token=None, sep_id=None, lang_tags=[],
    )  # fmt: skip
    vocabulary = Vocabulary(words, specials)
    sides = [_side(stage, embedding) for stage in (encoder, head.decoder)]  # type: ignore[attr-defined]
    config = {"tied_embeddings": True, "tied_softmax": True, "encoder": sides[0], "decoder": sides[1]}
    model = build_model(config, vocabulary, vocabulary).eval()
    table = embedding.table.weight.detach().clone()  # type: ignore[attr-defined]
    table[[0, 1]] = table[[1, 0]]
    with torch.no_grad():
        model.src_embed.lut.weight.copy_(table)
        for into, layer in zip(model.encoder.layers, encoder.layers, strict=True):  # type: ignore[attr-defined]
            _self(into.src_src_att, layer.attention)
            _same(into.layer_norm, layer.around_attention.norm)
            _feed(into, layer)
        for into, layer in zip(model.decoder.layers, head.decoder.layers, strict=True):  # type: ignore[attr-defined]
            _self(into.trg_trg_att, layer.attention)
            _same(into.x_layer_norm, layer.around_attention.norm)
            _same(into.dec_layer_norm, layer.around_cross.norm)
            _same(into.src_trg_att.q_layer, layer.cross.query)
            _parts([into.src_trg_att.k_layer, into.src_trg_att.v_layer], layer.cross.key_value)
            _same(into.src_trg_att.output_layer, layer.cross.output)
            _feed(into, layer)
        _same(model.encoder.layer_norm, encoder.last)  # type: ignore[attr-defined]
        _same(model.decoder.layer_norm, head.decoder.last)  # type: ignore[attr-defined]
    return model


def _side(stage: Any, embedding: Any) -> dict[str, Any]:
    return {
        "type": "transformer", "num_layers": stage.depth, "num_heads": stage.heads, "layer_norm": stage.norm,
        "hidden_size": stage.width, "ff_size": stage.inner, "activation": stage.activation,
        "embeddings": {"embedding_dim": stage.width, "scale": embedding.scale != 1.0},
    }  # fmt: skip


def _same(into: nn.Module, given: nn.Module) -> None:
    into.load_state_dict(given.state_dict())


def _parts(into: list[nn.Module], given: nn.Linear) -> None:
    weights, biases = given.weight.chunk(len(into)), given.bias.chunk(len(into))
    for linear, weight, bias in zip(into, weights, biases, strict=True):
        linear.load_state_dict({"weight": weight, "bias": bias})


def _self(into: Any, given: Any) -> None:
    _parts([into.q_layer, into.k_layer, into.v_layer], given.query_key_value)
    _same(into.output_layer, given.output)


def _feed(into: Any, layer: Any) -> None:
    _same(into.feed_forward.pwff_layer[0], layer.feed_forward[0])
    _same(into.feed_forward.pwff_layer[3], layer.feed_forward[3])
    _same(into.feed_forward.layer_norm, layer.around_feed_forward.norm)


def batch_of(rows: list[list[int]]) -> Batch:
    """Padded sources, each with the end that its own data sets append left out: our weights never saw one."""
    lengths = torch.tensor([len(row) for row in rows])
    source: Tensor = nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], True, PAD)
    order = torch.arange(len(rows))
    return Batch(source, lengths, None, None, None, order, torch.device("cpu"), PAD, END, is_train=False)


def translate(model: Any, rows: list[list[int]], beam: int) -> list[list[int]]:
    """One batch; beam 1 is greedy search."""
    longest = 2 * max(map(len, rows)) + 10
    ids, _, _ = search(model, batch_of(rows), longest, beam, 1.0, generate_unk=False)
    return [row[: row.index(END)] if END in row else row for row in ids.tolist()]


def main() -> None:
    """Print sentences per second of each setting, and the share of greedy translations that equal nlpipe's."""
    options = json.loads(sys.argv[2])
    torch.set_num_threads(options["threads"])
    pipeline = Pipeline.load(sys.argv[1])
    head: Any = pipeline.head
    texts: list[str] = json.loads(Path(options["sentences"]).read_text(encoding="utf-8"))
    swap = {0: 1, 1: 0}
    rows = [[swap.get(i, i) for i in ids.tolist()] for ids in head.prepare_target(Text(texts)).ids]
    model = convert(pipeline)
    figures: dict[str, float] = {}
    for beam, size, count in options["ways"]:
        subset = rows[:: len(rows) // count][:count]
        batches = [subset[i : i + size] for i in range(0, len(subset), size)]
        translate(model, batches[len(batches) // 2], beam)
        seconds = []
        for batch in batches:
            started = time.perf_counter()
            translate(model, batch, beam)
            seconds.append(time.perf_counter() - started)
        figures[f"rate {beam} {size}"], figures[f"seconds {beam} {size}"] = len(subset) / sum(seconds), median(seconds)
    sample = slice(len(rows) // 2, len(rows) // 2 + 32)
    translations = [head._text(row) for row in translate(model, rows[sample], 1)]
    wire: Any = Text(texts[sample])
    with torch.no_grad():
        for stage in pipeline.body:
            wire = stage.forward(wire)
        ours = head.predict_quickly(wire).values.strings
    figures["equal"] = sum(a == b for a, b in zip(translations, ours, strict=True)) / len(ours)
    print("\n" + json.dumps(figures))


if __name__ == "__main__":
    main()
