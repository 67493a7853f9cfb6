"""A transformer that translates, written as a directory that CTranslate2 loads.

Weights stay as they are, float32: CTranslate2 converts them when it loads the model (``compute_type``). It reads and
gives tokens; those of the run are ``pipeline.stages[0].forward(Text(texts)).words``, and its ``join`` makes text of
them again. Its beam search ranks by log P / |Y| ** alpha, ours by Wu et al. 2016; with alpha 0 both rank alike.

Klein et al. 2020, "Efficient and High-Quality Neural Machine Translation with OpenNMT" (CTranslate2 came of it).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpipe.errors import ModelError
from nlpipe.pipeline import Pipeline
from nlpipe.registry import missing_extra

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    from nlpipe.decoders.transformer_decoder import Transformer as Decoder
    from nlpipe.encoders.transformer import Transformer as Encoder
    from nlpipe.heads.seq2seq import Seq2Seq
    from nlpipe.nn.attention import CrossAttention, SelfAttention
    from nlpipe.nn.transformer_layer import TransformerLayer
    from nlpipe.representations.embedding import Embedding

POSITIONS = 2048
"""Sinusoidal positions that are written; texts longer than that cannot be translated by the directory."""


def export_ctranslate2(pipeline: Pipeline, directory: str | Path) -> Path:
    """Write ``pipeline`` as a new directory for ``ctranslate2.Translator``.

    Raises:
        ModelError: it is not made of an embedding, transformer encoders and decoders with sinusoidal or learned
            positions, or the directory exists.
        MissingExtra: ctranslate2 is not installed.
    """
    target = Path(directory)
    if target.exists():
        raise ModelError(f"{directory} exists already; name a new directory")
    embedding, encoder, head, decoder = _parts(pipeline)
    try:
        from ctranslate2.specs import transformer_spec
    except ModuleNotFoundError as error:
        raise missing_extra("--to ctranslate2", error) from error
    shape = {"pre_norm": encoder.norm == "pre", "activation": _activation(encoder.activation)}
    spec = transformer_spec.TransformerSpec(
        transformer_spec.TransformerEncoderSpec(encoder.depth, encoder.heads, **shape),
        transformer_spec.TransformerDecoderSpec(
            decoder.depth, decoder.heads,
            pre_norm=decoder.norm == "pre", activation=_activation(decoder.activation),
        ),
    )  # fmt: skip
    words = embedding.vocabulary.words()
    spec.register_source_vocabulary(words)
    spec.register_target_vocabulary(words if head.joint else head.vocabulary.words())
    _side(spec.encoder, encoder)
    _side(spec.decoder, decoder)
    spec.encoder.embeddings[0].weight = _array(embedding.table.weight)
    spec.encoder.scale_embeddings = embedding.scale != 1.0
    table = embedding.table if head.joint else head.table
    spec.decoder.embeddings.weight = spec.decoder.projection.weight = _array(table.weight)
    spec.decoder.scale_embeddings = not head.joint or embedding.scale != 1.0
    spec.validate()
    spec.optimize()
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as temporary:
        fresh = Path(temporary) / "model"
        fresh.mkdir()
        spec.save(str(fresh))
        fresh.rename(target)
    return target


def _parts(pipeline: Pipeline) -> tuple[Embedding, Encoder, Seq2Seq, Decoder]:
    """Embedding, encoder, head and decoder of a pipeline that can be written.

    Raises:
        ModelError: it has others, or options that CTranslate2 has no counterpart for.
    """
    from nlpipe.decoders.transformer_decoder import Transformer as Decoder
    from nlpipe.encoders.transformer import Transformer as Encoder
    from nlpipe.heads.seq2seq import Seq2Seq
    from nlpipe.representations.embedding import Embedding

    match pipeline.stages:
        case [_, Embedding() as embedding, Encoder() as encoder, Seq2Seq(decoder=Decoder() as decoder) as head]:
            pass
        case _:
            raise ModelError(
                f"{pipeline.name}: CTranslate2 reads a tokenizer, the representation 'embedding', one 'transformer' "
                "encoder and the head 'seq2seq' with a 'transformer' decoder; these stages are others"
            )
    for name, stage in (("encoder", encoder), ("decoder", decoder)):
        if stage.positions not in ("sinusoidal", "learned"):
            raise ModelError(f"{pipeline.name}: {name}: CTranslate2 has no {stage.positions} positions here")
    if encoder.causal or encoder.hidden not in (None, encoder.width):
        raise ModelError(f"{pipeline.name}: encoder: CTranslate2 knows neither causal nor a hidden of another width")
    return embedding, encoder, head, decoder


def _activation(name: str) -> Any:
    from ctranslate2.specs.common_spec import Activation

    return {"relu": Activation.RELU, "gelu": Activation.GELU}[name]


def _array(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().float().cpu().numpy()
    return array


def _side(spec: Any, stage: Encoder | Decoder) -> None:
    """Positions, layers and last norm of encoder or decoder."""
    from torch import nn

    from nlpipe.nn.positions import Learned, sinusoids

    place, last = stage.place, stage.last
    spec.position_encodings.encodings = _array(
        place.table if isinstance(place, Learned) else sinusoids(POSITIONS, int(stage.width or 0))
    )
    if isinstance(last, nn.LayerNorm):
        _norm(spec.layer_norm, last)
    for into, layer in zip(spec.layer, stage.stack(), strict=True):
        _layer(into, layer)


def _layer(spec: Any, layer: TransformerLayer) -> None:
    _attention(spec.self_attention, layer.attention)
    _norm(spec.self_attention.layer_norm, layer.around_attention.norm)
    if layer.cross is not None and layer.around_cross is not None:
        _attention(spec.attention, layer.cross)
        _norm(spec.attention.layer_norm, layer.around_cross.norm)
    first, *_, second = layer.feed_forward
    _linear(spec.ffn.linear_0, first)
    _linear(spec.ffn.linear_1, second)
    _norm(spec.ffn.layer_norm, layer.around_feed_forward.norm)


def _attention(spec: Any, attention: SelfAttention | CrossAttention) -> None:
    """Projections in the order in which they are used; those of keys and values lie side by side in both."""
    used = [part for name, part in attention.named_children() if name != "rotary"]
    for into, linear in zip(spec.linear, used, strict=True):
        _linear(into, linear)


def _linear(spec: Any, linear: nn.Module) -> None:
    spec.weight, spec.bias = _array(linear.weight), _array(linear.bias)  # type: ignore[arg-type]


def _norm(spec: Any, norm: nn.LayerNorm) -> None:
    spec.gamma, spec.beta = _array(norm.weight), _array(norm.bias)
