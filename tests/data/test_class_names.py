from __future__ import annotations

import pytest

from lightning_seq.data.class_names import check_names
from lightning_seq.errors import UserError


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["good", "good\u200b"], r"the name 'good\\u200b' of a class looks the same as 'good'"),
        (["caf\u00e9", "cafe\u0301"], r"looks the same as 'cafe\\u0301'"),
        (["a b", "a\u00a0b"], r"looks the same as 'a b'"),
        (["a", "\ufeff"], r"has no visible character"),
        (["a", "9" * 5000], r"a name of 5,000 characters, '9{40}' …, expected at most 1,000"),
    ],
)
def test_names_that_look_the_same_or_are_none(names: list[str], message: str) -> None:
    with pytest.raises(UserError, match=f"file.csv: .*{message}.*check data.label_column"):
        check_names("file.csv", names, "data.label_column")


def test_different_names() -> None:
    check_names("file.csv", ["A", "a", "\u0430", "a.", "👨\u200d👩", "👨"], "data.label_column")
