"""A BERT that knows nothing yet: word pieces learned from the training split, and random weights to be pre-trained.

Devlin, Chang, Lee, Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding",
section 3; Wu et al. 2016, "Google's Neural Machine Translation System", section 4.1 (word pieces).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import transformers
from tokenizers import Tokenizer as Backend
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from nlpipe.errors import DataError
from nlpipe.long_texts import with_broken_words
from nlpipe.nn import pretrained
from nlpipe.options import Dropout, Positive
from nlpipe.representations.bert import Bert
from nlpipe.stage import Data
from nlpipe.wire import Tokens

SPECIALS = {
    "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]",
}  # fmt: skip


class NewBert(Bert):
    """BERT with random weights and word pieces of its own, to be pre-trained with masked_language_model.

    Weights are drawn with the standard deviation 1 / sqrt(hidden), with which a layer keeps the size of what it reads.
    BERT's 0.02 is near that for its 768 features; in a narrow model it makes attention alike for all words, for long.

    Options:
        pieces: number of word pieces to learn, more if the training split has more different characters.
        lowercase: whether the text is lower-cased, and accents removed, before it is split.
        depth: number of layers.
        hidden: number of features of a piece.
        heads: of each attention; a divisor of hidden.
        feed_forward: features inside the feed-forward networks; null: 4 x hidden.
        max_length: maximum number of pieces that are read at once, with the two special ones around them.
        dropout: dropout rate inside the model.
        precision: auto: bf16 in prediction if the processor supports it, else fp32.
    """

    seeded = False

    def __init__(
        self,
        pieces: Positive = 8000,
        lowercase: bool = True,
        depth: Positive = 4,
        hidden: Positive = 128,
        heads: Positive = 4,
        feed_forward: Positive | None = None,
        max_length: Positive = 128,
        dropout: Dropout = 0.1,
        precision: Literal["auto", "fp32", "bf16"] = "auto",
    ) -> None:
        if hidden % heads:
            raise ValueError(f"heads: {heads} do not divide hidden: {hidden}; choose a multiple of {heads}")
        if max_length < 8:
            raise ValueError(f"max_length: invalid value {max_length}: expected 8 or more")
        super().__init__(trainable=True, dropout=0.0, precision=precision)
        self.name = "new_bert"
        self.piece_count = pieces
        self.lowercase = lowercase
        self.shape = {
            "num_hidden_layers": depth, "hidden_size": hidden, "num_attention_heads": heads,
            "intermediate_size": feed_forward or 4 * hidden, "max_position_embeddings": max_length,
            "hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout,
            "initializer_range": hidden**-0.5,
        }  # fmt: skip

    def fit(self, data: Data[Tokens]) -> None:
        """Learn the word pieces.

        Raises:
            DataError: the training split has no text.
        """
        texts = [text for source, _ in data for text in source.texts]
        if not any(text.strip() for text in texts):
            raise DataError("new_bert cannot learn word pieces: the training split has no text")
        backend = learn_pieces(with_broken_words(texts), self.piece_count, self.lowercase)
        about = {
            "special_tokens": SPECIALS, "inputs": ["input_ids", "token_type_ids", "attention_mask"],
            "longest": self.shape["max_position_embeddings"],
        }  # fmt: skip
        config = transformers.BertConfig(vocab_size=backend.get_vocab_size(), pad_token_id=0, **self.shape)
        self._splitter = None
        self._saved = {"tokenizer": backend.to_str(), "about": about, "config": pretrained.config_as_json(config)}


def learn_pieces(texts: Sequence[str], count: int, lowercase: bool) -> Backend:
    """A WordPiece tokenizer as BERT has it, the same in each run."""

    def around(model: Any) -> Backend:
        backend = Backend(model)
        backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=lowercase)
        backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        backend.decoder = decoders.WordPiece()
        return backend

    learner = around(models.WordPiece(unk_token="[UNK]"))
    letters = sorted({c for text in texts for c in learner.normalizer.normalize_str(text) if not c.isspace()})
    # the trainer numbers '##a' differently in each run and breaks ties by number: number the letters here
    first = [*SPECIALS.values(), *letters, *("##" + letter for letter in letters)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=count, min_frequency=2, special_tokens=list(dict.fromkeys(first)), show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    backend = around(models.WordPiece(learner.get_vocab(), unk_token="[UNK]", max_input_chars_per_word=100))
    backend.add_special_tokens(list(SPECIALS.values()))
    ids = {name: backend.token_to_id(token) for name, token in SPECIALS.items()}
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["cls_token"]), ("[SEP]", ids["sep_token"])],
    )  # fmt: skip
    return backend
