"""A transformer that translates, handed over to CTranslate2: its weights in CTranslate2's own directory.

CTranslate2's search scores a hypothesis by log P / |Y| ** alpha when it has ended, ours by Wu et al. 2016. Both keep
the same hypotheses until then, so that the head 'ctranslate2' ranks those that have ended as 'seq2seq' does.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpipe.errors import ModelError
from nlpipe.heads.ctranslate2 import POSITIONS, CTranslate2, not_loaded
from nlpipe.registry import missing_extra, written_name
from nlpipe.stage import AnyStage

if TYPE_CHECKING:
    from torch import Tensor, nn

    from nlpipe.decoders.transformer_decoder import Transformer as Decoder
    from nlpipe.encoders.transformer import Transformer as Encoder
    from nlpipe.heads.seq2seq import Seq2Seq
    from nlpipe.nn.attention import CrossAttention, SelfAttention
    from nlpipe.nn.transformer_layer import TransformerLayer
    from nlpipe.representations.embedding import Embedding

OUR_OWN = {"coverage_penalty": 0.0, "min_ratio": 0.0, "no_repeat_ngram": 0}
"""Options of the search that CTranslate2 has not, or not with the same meaning, and what they must be."""


def to_ctranslate2(stages: Sequence[AnyStage], int8: bool = False) -> CTranslate2:
    """The head that translates as all ``stages`` of a pipeline behind its tokenizer do; these stay as they are.

    Args:
        int8: whether weights become 8-bit integers.

    Raises:
        ModelError: it is not made of an embedding, transformer encoders and decoders with sinusoidal or learned
            positions; or searches in a way that CTranslate2 does not have.
        ModelError: ctranslate2 cannot be loaded, or there is no room for its files.
        MissingExtra: ctranslate2 is not installed.
    """
    embedding, encoder, head, decoder = parts_of(stages)
    joint = embedding.vocabulary if head.joint else head.vocabulary
    made = CTranslate2(head.own, head.beam, head.length_penalty, head.max_ratio, head.max_length)
    made.bind(stages)
    files = _directory(embedding, encoder, head, decoder, int8)
    positions, longest = (
        POSITIONS if most is None else min(most, POSITIONS) for most in (encoder.longest, decoder.max_positions)
    )
    made.use(files, embedding.vocabulary, joint, head.learned_ratio, head.learned_length, longest - 1, positions)
    return made


def specifications() -> Any:
    """CTranslate2's module of the parts that transformers are made of.

    Raises:
        ModelError: it is installed and cannot be loaded.
        MissingExtra: it is not installed.
    """
    try:
        from ctranslate2.specs import transformer_spec
    except ModuleNotFoundError as error:
        raise missing_extra("computing with CTranslate2", error) from error
    except (ImportError, OSError) as error:
        raise not_loaded(error) from None
    return transformer_spec


def _directory(embedding: Embedding, encoder: Encoder, head: Seq2Seq, decoder: Decoder, int8: bool) -> dict[str, bytes]:
    """The files of CTranslate2's directory, by name."""
    transformer_spec = specifications()
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
    spec.optimize(quantization="int8" if int8 else None)
    try:
        with tempfile.TemporaryDirectory() as folder:
            spec.save(folder)
            return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    except OSError as error:
        raise ModelError(
            f"{error.filename or 'temporary files'}: {error.strerror or error}; CTranslate2 writes its files into a "
            "temporary folder: name one that has room with TMPDIR"
        ) from error


def parts_of(stages: Sequence[AnyStage]) -> tuple[Embedding, Encoder, Seq2Seq, Decoder]:
    """Embedding, encoder, head and decoder of a pipeline that can be written.

    Raises:
        ModelError: it has others, or options that CTranslate2 has no counterpart for; says which.
    """
    from nlpipe.decoders.transformer_decoder import Transformer as Decoder
    from nlpipe.encoders.transformer import Transformer as Encoder
    from nlpipe.heads.seq2seq import Seq2Seq
    from nlpipe.representations.embedding import Embedding

    match list(stages):
        case [_, Embedding() as embedding, Encoder() as encoder, Seq2Seq(decoder=Decoder() as decoder) as head]:
            pass
        case [*_, Seq2Seq(decoder=other)] if not isinstance(other, Decoder):
            raise ModelError(
                f"CTranslate2 computes transformers, and this decoder is '{written_name(other)}'; run a pipeline "
                "whose encoder and decoder are 'transformer'"
            )
        case [*_, CTranslate2()]:
            raise ModelError("CTranslate2 computes it already; export the run that it was exported from")
        case _:
            names = " → ".join(map(written_name, stages))
            raise ModelError(
                f"CTranslate2 computes a tokenizer, the representation 'embedding', one 'transformer' "
                f"encoder and the head 'seq2seq' with a 'transformer' decoder; these stages are others ({names})"
            )
    for name, stage in (("encoder", encoder), ("decoder", decoder)):
        if stage.positions not in ("sinusoidal", "learned"):
            raise ModelError(f"{name}: CTranslate2 has no {stage.positions} positions here")
    if encoder.causal or encoder.hidden not in (None, embedding.dim):
        raise ModelError("encoder: CTranslate2 knows neither causal nor a hidden of another width")
    check_search(head)
    return embedding, encoder, head, decoder


def check_search(head: Seq2Seq) -> None:
    """Raise ModelError where the head searches in a way that CTranslate2 does not have."""
    wanted = OUR_OWN if head.beam == 1 else {**OUR_OWN, "stopping": "early"}
    for name, value in wanted.items():
        if getattr(head, name) != value:
            raise ModelError(
                f"head: {name}: CTranslate2 has nothing that means {getattr(head, name)!r}; run the "
                f"pipeline with {name}: {value}"
            )


def _activation(name: str) -> Any:
    from ctranslate2.specs.common_spec import Activation

    return {"relu": Activation.RELU, "gelu": Activation.GELU}[name]


def _array(tensor: Tensor) -> np.ndarray:
    """A copy, which CTranslate2 may change in place."""
    array: np.ndarray = tensor.detach().float().cpu().numpy().copy()
    return array


def _side(spec: Any, stage: Encoder | Decoder) -> None:
    """Positions, layers and last norm of encoder or decoder."""
    from torch import nn

    from nlpipe.nn.positions import Learned, sinusoids

    place, last = stage.place, stage.last
    if isinstance(place, Learned):
        rows = np.arange(max(POSITIONS, len(place.table))).clip(max=len(place.table) - 1)
        spec.position_encodings.encodings = _array(place.table)[rows]  # beyond the last all share it, as in ours
    else:
        spec.position_encodings.encodings = _array(sinusoids(POSITIONS, int(stage.width or 0)))
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
