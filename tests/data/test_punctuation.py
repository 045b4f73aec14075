from __future__ import annotations

import pytest

from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.verses import verses
from lightning_seq.data.sources.verses_punctuation import VersesPunctuation
from lightning_seq.text.punctuation import TAGS, bare_words, tagged


@pytest.fixture(scope="module")
def kjv() -> Loaded:
    return VersesPunctuation().load()


def test_marks_and_capitals_by_hand() -> None:
    text = "And God said, Let there be light: and there was (behold!) light. I am the LORD’s Beth-el; why?"
    words, tags = tagged(text)
    assert list(zip(words, tags, strict=True)) == [
        ("and", "Cap"), ("god", "Cap"), ("said", ","), ("let", "Cap"), ("there", "O"), ("be", "O"), ("light", ":"),
        ("and", "O"), ("there", "O"), ("was", "O"), ("behold", "!"), ("light", "."), ("i", "Cap"), ("am", "O"),
        ("the", "O"), ("lord's", "Cap"), ("beth-el", ";+Cap"), ("why", "?"),
    ]  # fmt: skip
    assert set(tags) <= set(TAGS)


def test_the_first_of_several_marks_counts_and_quotation_marks_do_not() -> None:
    assert tagged("\"Where?\" (he said,) 'no.'")[1] == ["?+Cap", "O", ",", "."]
    assert tagged("he (said); go")[1] == ["O", ";", "O"]
    assert tagged("sons' sons -- all") == (["sons", "sons", "all"], ["O", "O", "O"])


@pytest.mark.slow
def test_nothing_is_given_away_and_new_text_is_read_alike() -> None:
    for table in VersesPunctuation("web").load().tables.values():
        for words, tags in zip(table.tokens, table.tags, strict=True):
            assert len(words) == len(tags) > 0
            assert " ".join(words) == " ".join(words).lower()
            assert bare_words(" ".join(words)) == words


def test_the_tags_restore_the_verses_marks(kjv: Loaded) -> None:
    """Taken together they say of each verse which marks it has, in order."""
    texts = {verse.id: verse.text for verse in verses()}
    compared = 0
    for table in kjv.tables.values():
        for number, tags in zip(table.ids, table.tags, strict=True):
            marks = [character for character in texts[number] if character in ",.;:?!"]
            restored = [str(tag)[0] for tag in tags if tag not in ("O", "Cap")]
            compared += restored == marks
            assert len(restored) <= len(marks)
    assert compared > 31_000


def test_no_chapter_is_in_two_splits(kjv: Loaded) -> None:
    chapters = {split: {number // 1000 for number in table.ids} for split, table in kjv.tables.items()}
    assert sum(map(len, chapters.values())) == len(set.union(*chapters.values())) == 1189
    assert VersesPunctuation(split_seed=2).identity() != VersesPunctuation().identity()
