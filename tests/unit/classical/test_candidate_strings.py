"""Candidate strings, counted by hand."""

import numpy as np

from nlpipe.classical.candidate_strings import COPY, CandidateStrings, link_unaligned


def test_unaligned_words_take_the_link_of_a_neighbour():
    links = np.array([0, 2, 0, 1, 0, 0, 0])
    example = np.array([0, 0, 0, 0, 0, 1, 1])
    assert link_unaligned(links, example).tolist() == [2, 2, 1, 1, 1, 0, 0]


def test_strings_are_counted():
    # word 5 stands four times: twice for "7 8", once for "9", once for nothing; 6 has a run of four words, too long
    sources = [np.array([5, 6]), np.array([5]), np.array([5]), np.array([4, 5])]
    targets = [np.array([7, 8, 2, 2, 2, 2]), np.array([7, 8]), np.array([9]), np.array([3])]
    links = np.array([1, 1, 2, 2, 2, 2, 1, 1, 1, 1])
    table = CandidateStrings.count(sources, targets, links, vocabulary_size=8, candidates=2)
    assert table.strings[5].tolist() == [[7, 8, -1], [-1, -1, -1]]
    np.testing.assert_allclose(table.logs[5], np.log([0.5, 0.25]))
    assert table.strings[4].tolist() == [[3, -1, -1], [-1, -1, -1]] and table.logs[4].tolist() == [0.0, -np.inf]
    for word in (0, 6, 7):  # without any string: copied
        assert table.strings[word, 0].tolist() == [COPY, -1, -1] and table.logs[word].tolist() == [0.0, -np.inf]
