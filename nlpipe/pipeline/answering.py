"""A pipeline's head as it answers what the task asks for, where the head alone would answer something else."""

from __future__ import annotations

from nlpipe.capabilities import LabelsSeparately, able
from nlpipe.pipeline.set_labeller import SetLabeller
from nlpipe.pipeline.tag_words import WordTagger
from nlpipe.stage import AnyHead, LabelHead
from nlpipe.wire import LabelSets, Tags, Wire


def for_target(head: AnyHead, target: type[Wire]) -> AnyHead:
    """``head`` as it answers with ``target``: one that labels vectors tags words where the task asks for tags, and
    decides on each label by itself where it asks for sets of labels."""
    if isinstance(head, LabelHead) and target is Tags:
        return WordTagger(head)
    if isinstance(head, LabelHead) and target is LabelSets and able(head, LabelsSeparately) is not None:
        return SetLabeller(head)
    return head
