"""An n-gram model written as an ARPA file, which KenLM, SRILM and speech recognisers read.

Readers split a line at white space and look its words up. So give them the model's own tokens with a space between:
``" ".join(pipeline.tokenizer.forward(Text([text])).words[0])``, each as ``nlpipe.classical.arpa.arpa_word`` writes it.
"""

from __future__ import annotations

from pathlib import Path

from nlpipe.classical.arpa import write_arpa
from nlpipe.errors import ModelError
from nlpipe.pipeline import Pipeline
from nlpipe.registry import written_name


def export_arpa(pipeline: Pipeline, file: str | Path) -> Path:
    """Write the n-gram model of ``pipeline`` as a new ARPA file; compressed if its name ends in ``.gz``.

    Raises:
        ModelError: the head is no n-gram model that backs off, or the file exists, or its directory does
            not.
        DataError: two words would have the same name in the file; see ``nlpipe.classical.arpa.arpa_word``.
        NlpipeError: the file cannot be written; nothing is left of it.
    """
    from nlpipe.heads.ngram import Ngram

    target, head = Path(file), pipeline.head
    if not isinstance(head, Ngram):
        raise ModelError(
            f"{pipeline.name}: an ARPA file holds the n-grams of the head 'ngram', and this pipeline has "
            f"'{written_name(head)}'"
        )
    if head.model is None:
        raise ModelError(f"{pipeline.name}: the model has not been fitted; call fit first")
    if not head.model.backs_off:
        raise ModelError(
            f"{pipeline.name}: an ARPA file holds probabilities and backoff weights, and {head.smoothing} gives every "
            "unseen word the same probability, which backing off cannot; fit it with smoothing: kneser_ney"
        )
    if target.exists():
        raise ModelError(f"{file} exists already; name a new file")
    if not target.parent.is_dir():
        raise ModelError(f"{file}: there is no directory {target.parent}; make it first")
    write_arpa(head.model, head.vocabulary.words(), target)
    return target
