"""Masked language models of ``transformers``: ours written for it, others read, and the gaps of a text filled."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import transformers
from safetensors import safe_open
from torch import Tensor

from nlpipe.errors import ModelError, NlpipeError
from nlpipe.nn.model_directory import check_directory
from nlpipe.nn.pretrained import Splitter, load_splitter, longest_input, quiet, write_model
from nlpipe.options import check_number

if TYPE_CHECKING:
    from nlpipe.capabilities import OffersPieces

PREFIX = "cls.predictions."
NAMES = {
    "dense.weight": f"{PREFIX}transform.dense.weight", "dense.bias": f"{PREFIX}transform.dense.bias",
    "norm.weight": f"{PREFIX}transform.LayerNorm.weight", "norm.bias": f"{PREFIX}transform.LayerNorm.bias",
    "bias": f"{PREFIX}bias",
}  # fmt: skip
"""Our name of a weight of the head to that of ``transformers``' BERT."""
MASKS = re.compile(r"\[mask\]|<mask>", re.IGNORECASE)
"""How people write a gap; each stands for the model's own."""


def head_of(directory: Path) -> dict[str, Tensor] | None:
    """The head for masked words of a BERT's directory, by our names; None where it has none."""
    found: dict[str, Tensor] = {}
    for path in sorted(directory.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            names = set(file.keys())
            for ours, theirs in NAMES.items():
                old = theirs.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
                name = next((each for each in (theirs, old) if each in names), None)
                if name is not None:
                    found[ours] = file.get_tensor(name).float()
    return found if found.keys() == NAMES.keys() else None


def assembled(offers: OffersPieces, head: Mapping[str, Tensor]) -> Any:
    """A ``BertForMaskedLM`` of an encoder and a head, whose outputs are theirs.

    Raises:
        ModelError: the encoder is no BERT.
    """
    encoder = offers.encoder
    if encoder.config.model_type != "bert":
        raise ModelError(f"a masked language model is written for a BERT, and this is {encoder.config.model_type}")
    with quiet():
        model = transformers.BertForMaskedLM(encoder.config)
    weights = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items() if "pooler" not in name}
    weights |= {NAMES[name]: tensor for name, tensor in head.items()}
    weights["cls.predictions.decoder.weight"] = offers.piece_table.detach()
    weights["cls.predictions.decoder.bias"] = head["bias"]
    missing, unknown = model.load_state_dict({n: t.float() for n, t in weights.items()}, strict=False)
    assert not unknown and not [name for name in missing if "position_ids" not in name], (missing, unknown)
    return model.eval()


def write(model: Any, splitter: Splitter, directory: Path) -> None:
    """A directory that ``AutoModelForMaskedLM`` loads, complete or not there.

    Raises:
        ModelError: something of that name is there already.
    """
    write_model(model, splitter, directory)


def load(directory: Path) -> tuple[Any, Splitter]:
    """The masked language model of a directory, in fp32.

    Raises:
        ModelError: it has none: no weights, code of its own, another architecture, or an encoder without the head.
    """
    check_directory(directory)
    try:
        with quiet():
            model, report = transformers.AutoModelForMaskedLM.from_pretrained(
                str(directory), dtype=torch.float32, use_safetensors=True, local_files_only=True,
                trust_remote_code=False, output_loading_info=True,
            )  # fmt: skip
    except Exception as error:  # whatever a broken file, or another architecture, makes the library raise
        reason = str(error).partition("\n")[0]
        raise ModelError(f"{directory}: no masked language model can be read: {reason}") from None
    missing = [name for name in report["missing_keys"] if "pooler" not in name and "decoder" not in name]
    if missing:
        raise ModelError(
            f"{directory}: the model has no head for masked words ({missing[0]} …), so that its answers would be "
            "random; pre-train one with the head masked_language_model, or name a model that has it"
        )
    return model.eval(), load_splitter(directory)


@torch.no_grad()
def fill(model: Any, splitter: Splitter, text: str, top: int) -> list[list[tuple[str, float]]]:
    """For each gap of a text, in order: the ``top`` most probable pieces with their probabilities.

    Raises:
        NlpipeError: the text has no gap, or is longer than the model reads; the model has no mask.
    """
    check_number("top", top, 1)
    mask = splitter.about["special_tokens"].get("mask_token")
    if mask is None:
        raise NlpipeError("the model's tokenizer has no mask, so that it fills no gaps")
    text = MASKS.sub(lambda _: mask, text)
    encoded = splitter.backend.encode(text)
    number = splitter.backend.token_to_id(mask)
    gaps = [i for i, piece in enumerate(encoded.ids) if piece == number]
    if not gaps:
        raise NlpipeError(f"the text has no gap: write {mask} where a word is to be found: 'The film was {mask}.'")
    longest = longest_input(model)
    if len(encoded.ids) > longest:
        raise NlpipeError(f"the text has {len(encoded.ids)} pieces, and the model reads {longest}: shorten it")
    scores = model(input_ids=torch.tensor([encoded.ids])).logits[0, gaps].float()  # (G, V)
    scores[:, splitter.backend.get_vocab_size() :] = float("-inf")  # rows that pad the table stand for no piece
    probabilities = scores.softmax(-1)
    values, pieces = probabilities.topk(min(top, splitter.backend.get_vocab_size()))
    return [
        [(splitter.backend.id_to_token(i) or "", p) for i, p in zip(row, column, strict=True)]
        for row, column in zip(pieces.tolist(), values.tolist(), strict=True)
    ]
