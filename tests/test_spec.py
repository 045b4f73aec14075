"""What goes in and what comes out."""

from __future__ import annotations

from lightning_seq.spec import Bits, Class, DataSpec, Tokens
from lightning_seq.text.vocabulary import Vocabulary


def test_a_vocabulary_prints_its_beginning_and_its_length() -> None:
    words = tuple(f"word{number}" for number in range(5000))
    spec = DataSpec(Tokens(words), Class(("a", "b")))
    assert len(repr(spec)) < 250
    assert "'word5', … 5,000 in all)" in repr(spec)
    assert "Class(names=('a', 'b'))" in repr(spec)
    assert repr(Bits(2)) == "Bits(width=2, names=(), shifted=True)"
    assert len(repr(Vocabulary(words, (1,) * 5000))) < 250
    assert DataSpec.from_plain(spec.to_plain()) == spec
