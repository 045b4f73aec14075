from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.errors import UserError
from lightning_seq.text.segmenter import LEVELS, Segmenter
from lightning_seq.text.subwords import KINDS, MARK, Subwords

TEXTS = [
    "the old king sees the young lion, and the young lion sees the king.",
    "don't the kings' singers sing? the singers are singing songs!",
    "an older singer saw the youngest lions of the oldest kingdom",
    "it's 1611 or 1612; lions, kings and songs were old then.",
    *(
        " ".join(stem + end for end in ("", "er", "est", "ing", "s"))
        for stem in ("walk", "talk", "climb", "wander", "render", "gather", "sink", "drink", "stand", "hold", "fold")
    ),
] * 3


@pytest.fixture(scope="module", params=KINDS)
def subwords(request: pytest.FixtureRequest) -> Subwords:
    return Subwords.train(TEXTS, request.param, 60)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_pieces_put_together_are_the_text(subwords: Subwords, data: st.DataObject) -> None:
    letters = sorted({character for text in TEXTS for character in text} | {"\t", "  "})
    text = "".join(data.draw(st.lists(st.sampled_from(letters), max_size=30)))
    pieces = subwords(text)
    assert subwords.join(pieces) == " ".join(text.split())
    assert set(pieces) <= set(subwords.pieces)
    for piece in pieces:
        assert MARK not in piece[1:]
        assert not (any(map(str.isalpha, piece)) and any(mark in piece for mark in ",.;!?'"))


def test_there_are_as_many_pieces_as_asked_for_and_long_ones_among_them(subwords: Subwords) -> None:
    assert len(subwords.pieces) == len(set(subwords.pieces)) == 60
    assert {character for text in TEXTS for character in text if character != " "} <= set(subwords.pieces)
    assert subwords("the king")[0] == f"{MARK}the"
    assert len(subwords("the old king sees")) < len("theoldkingsees")
    assert "<unk>" not in subwords.pieces


def test_what_is_unknown_stays_as_it_is_written(subwords: Subwords) -> None:
    pieces = subwords("the königs")
    assert "ö" in pieces
    assert "ö" not in subwords.pieces
    assert subwords.join(pieces) == "the königs"


def test_byte_pairs_are_joined_by_count() -> None:
    """As the paper does it: the commonest neighbours first; of equals any."""
    texts = ["low low low low low lower lower newest newest newest newest newest newest widest widest widest"]
    alphabet = set(texts[0].replace(" ", "")) | {MARK}
    words = Counter(tuple(MARK + word) for word in texts[0].split())
    neighbours: Counter[tuple[str, str]] = Counter()
    for word, count in words.items():
        for pair in pairwise(word):
            neighbours[pair] += count
    most = max(neighbours.values())
    first = set(Subwords.train(texts, "bpe", len(alphabet) + 1).pieces) - alphabet
    assert first <= {left + right for (left, right), count in neighbours.items() if count == most}
    assert len(first) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_texts_give_the_same_model_in_every_process(kind: str) -> None:
    program = (
        "import hashlib\nfrom lightning_seq.text.subwords import Subwords\n"
        f"texts = {TEXTS!r}\nprint(hashlib.sha256(Subwords.train(texts, {kind!r}, 60).model.encode()).hexdigest())"
    )
    found = {
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
        for _ in range(3)
    }
    assert len(found) == 1


def test_the_model_is_json_text(subwords: Subwords) -> None:
    assert isinstance(json.loads(subwords.model), dict)
    assert Subwords(subwords.model)("an old singer") == subwords("an old singer")


@pytest.mark.parametrize("kind", KINDS)
def test_sizes_that_cannot_be(kind: str) -> None:
    with pytest.raises(UserError, match=r"data\.subword\.size is 5000.*no more than (\d+) pieces.*size=\1$") as caught:
        Subwords.train(TEXTS, kind, 5000)
    most = int(str(caught.value).rpartition("=")[2])
    assert len(Subwords.train(TEXTS, kind, most).pieces) == most
    with pytest.raises(UserError, match=r"data\.subword\.size is 9, and the train text has \d+ different characters"):
        Subwords.train(TEXTS, kind, 9)
    for size in (0, -1, True, 2.5):
        with pytest.raises(UserError, match="expected a whole number"):
            Subwords.train(TEXTS, kind, size)  # type: ignore[arg-type]


def test_kinds_that_there_are_not() -> None:
    with pytest.raises(UserError, match=r"data\.subword\.kind is 'unigrm'; did you mean unigram"):
        Subwords.train(TEXTS, "unigrm", 60)


def test_a_damaged_model_is_refused() -> None:
    for model in ("{", "[]", '{"model": {}}', "[" * 100_000):
        with pytest.raises(UserError, match="the subword model cannot be read"):
            Subwords(model)("a")


def test_levels_split_and_join(subwords: Subwords) -> None:
    text = "  The king's  lion, old."
    for level, tokens, joined in (
        ("word", ["the", "king's", "lion", ",", "old", "."], "the king's lion , old ."),
        ("spaced", ["the", "king's", "lion,", "old."], "the king's lion, old."),
        ("character", list("the king's lion, old."), "the king's lion, old."),
        ("subword", subwords("the king's lion, old."), "the king's lion, old."),
    ):
        segmenter = Segmenter(level, subwords=subwords if level == "subword" else None)
        assert segmenter(text) == tokens
        assert segmenter.join(tokens) == segmenter.plain(text) == joined
        assert segmenter.tokenised == (level in ("word", "spaced"))
        assert Segmenter.from_plain(json.loads(json.dumps(segmenter.to_plain()))) == segmenter
    assert Segmenter("word", lower=False)("The King") == ["The", "King"]
    assert Segmenter("character", lower=False).plain("The  King ") == "The King"


def test_levels_that_there_are_not() -> None:
    with pytest.raises(UserError, match=r"data\.level is 'charcter'; did you mean character"):
        Segmenter("charcter")
    with pytest.raises(TypeError):
        Segmenter("subword")
    assert set(LEVELS) == {"word", "spaced", "character", "subword"}
