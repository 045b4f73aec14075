"""From links of characters to links of tokens, whatever the tokens are."""

from __future__ import annotations

import pytest

from lightning_seq.data.sequence_to_sequence.alignments import linked, owners, token_links
from lightning_seq.data.sources.pairs import PairTable
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.subwords import MARK, Subwords

TEXTS = ("low lower lowest", "new newer newest", "wide wider widest", "so slow , so old")


def subwords(kind: str) -> Segmenter:
    return Segmenter("subword", True, Subwords.train(TEXTS, kind, {"bpe": 26, "unigram": 19}[kind]))


def owned(segmenter: Segmenter, text: str) -> list[int]:
    """Read off the pieces: put together they are the text, with a mark before each word."""
    places = [number for number, piece in enumerate(segmenter(text)) for _ in piece]
    assert "".join(segmenter(text)) == MARK + text.lower().replace(" ", MARK)
    return [-1 if character == " " else place for character, place in zip(text, places[1:], strict=True)]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_each_character_is_in_the_piece_that_has_it(kind: str) -> None:
    segmenter = subwords(kind)
    for text in (*TEXTS, "Lowest old newt", "slow é low", "so , so"):
        expected = owned(segmenter, text)
        assert owners(segmenter, text, None) == expected
        assert owners(segmenter, text, 3) == [number if number < 3 else -1 for number in expected]
    assert len(segmenter("lowest")) > 1
    assert len(set(owned(segmenter, "so slow , so old"))) > 6, "the same pieces again are other ones"


def test_pieces_are_linked_where_their_characters_are() -> None:
    segmenter = subwords("bpe")
    source, target = "wider so", "so lowest"
    of_source, of_target = owned(segmenter, source), owned(segmenter, target)
    expected = {(of_target[t], of_source[s]) for t in (0, 1) for s in (6, 7)}
    expected |= {(of_target[t], of_source[s]) for t in range(3, 9) for s in range(5)}
    table = PairTable([source] * 2, [target] * 2, [0, 1], [[(0, 2, 6, 8), (3, 9, 0, 5)], []])
    links, offsets = token_links(table, {"source": segmenter, "target": segmenter}, {"source": None, "target": None})
    assert [tuple(link) for link in links.tolist()] == sorted(expected)
    assert len({t for t, _ in expected}) > 2
    assert offsets.tolist() == [0, len(expected), len(expected)]
    links, _ = token_links(table, {"source": segmenter, "target": segmenter}, {"source": 1, "target": 2})
    assert [tuple(link) for link in links.tolist()] == sorted((t, s) for t, s in expected if t < 2 and s < 1)


def test_what_no_token_holds_is_linked_with_nothing() -> None:
    assert linked([(0, 3, 0, 2)], [0, -1, 1], [-1, 4]) == {(0, 4), (1, 4)}
    assert linked([(1, 2, 0, 2)], [0, -1, 1], [-1, 4]) == set()
    with pytest.raises(ValueError, match="have no links"):
        token_links(PairTable(["a"], ["b"], [0]), {}, {})
