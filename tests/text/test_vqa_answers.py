from __future__ import annotations

import pytest

from lightning_seq.text.vqa_answers import normalise_answer


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Dog.", "dog"),
        ("two dogs", "2 dogs"),
        ("None", "0"),
        ("ten", "10"),
        ("eleven", "eleven"),
        ("1,000", "1000"),  # a comma between digits
        ("red, white", "red white"),  # a mark next to a space
        ("red/white", "red white"),  # a mark between letters
        ("t-shirt", "t shirt"),
        ("3.5 m", "3.5 m"),
        ("u.s. mail", "us mail"),
        ("dont know", "don't know"),
        ("couldnt've", "couldn't've"),
        ("couldn'tve", "couldn't've"),
        ("an apple\nand a pear", "apple and pear"),
        ("its", "its"),
        ("shed", "shed"),
        ("the", "the"),  # else nothing would be left
        ("?", "?"),
    ],
)
def test_normalised_as_in_the_evaluation_of_vqa(text: str, expected: str) -> None:
    assert normalise_answer(text) == expected
    assert normalise_answer(expected) == expected
