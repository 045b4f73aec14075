"""Other people's files: read as gensim writes them, and not believed when they lie."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_seq.embeddings.formats import read_vectors, write_word2vec_text
from lightning_seq.embeddings.vectors import Vectors
from lightning_seq.errors import UserError


def row(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def keyed(vectors: Vectors) -> object:
    from gensim.models import KeyedVectors

    model = KeyedVectors(vectors.width)
    model.add_vectors(list(vectors.words), vectors.matrix)
    return model


def test_gensim_reads_the_text_we_write(tmp_path: Path, vectors: Vectors) -> None:
    from gensim.models import KeyedVectors

    write_word2vec_text(vectors, tmp_path / "v.txt")
    theirs = KeyedVectors.load_word2vec_format(tmp_path / "v.txt")
    assert tuple(theirs.index_to_key) == vectors.words
    np.testing.assert_array_equal(theirs.vectors, vectors.matrix)


@pytest.mark.parametrize(("binary", "header"), [(False, True), (False, False), (True, True)])
def test_we_read_what_gensim_writes(tmp_path: Path, vectors: Vectors, binary: bool, header: bool) -> None:
    path = tmp_path / "v"
    keyed(vectors).save_word2vec_format(path, binary=binary, write_header=header)  # type: ignore[attr-defined]
    ours = read_vectors(path, width=4)
    assert ours.words == vectors.words
    np.testing.assert_array_equal(ours.matrix, vectors.matrix)
    assert ours.counts is None
    some = read_vectors(path, keep={"cat", "日本", "unheard"})
    assert some.words == ("日本", "cat")
    np.testing.assert_array_equal(some.matrix, vectors.matrix[[2, 3]])


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters=" \t\n\r"), min_size=1, max_size=5),
        unique=True,
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 5),
    st.integers(0, 1000),
)
def test_any_words_and_any_finite_values_come_back(
    tmp_path_factory: pytest.TempPathFactory, words: list[str], width: int, seed: int
) -> None:
    bits = np.random.default_rng(seed).integers(0, 2**32, (len(words), width), dtype=np.uint32).view(np.float32)
    vectors = Vectors(tuple(words), np.where(np.isfinite(bits), bits, 1).astype(np.float32))
    path = tmp_path_factory.mktemp("any") / "v.txt"
    write_word2vec_text(vectors, path)
    assert read_vectors(path).matrix.tobytes() == vectors.matrix.tobytes()
    assert read_vectors(path).words == vectors.words
    head = f"{len(words)} {width}\n".encode()
    body = b"".join(word.encode() + b" " + values.tobytes() for word, values in zip(words, vectors.matrix, strict=True))
    path.write_bytes(head + body)
    # Without control bytes a binary file of a few bytes may pass for text; real ones have thousands.
    if any(byte < 9 for byte in vectors.matrix.tobytes()):
        assert read_vectors(path).matrix.tobytes() == vectors.matrix.tobytes()


def test_a_word_with_a_form_feed_is_text(tmp_path: Path) -> None:
    vectors = Vectors(("0\x0c:",), np.float32([[0.5]]))
    write_word2vec_text(vectors, tmp_path / "v.txt")
    assert read_vectors(tmp_path / "v.txt").words == vectors.words


def test_glove_and_fasttext_peculiarities(tmp_path: Path) -> None:
    path = tmp_path / "v"
    path.write_bytes("the 0.5 -1\n. . . 1 2\n12 3 4\na\u00a0b 5 6\r\n\u2028 7 8e-1\n\n".encode())
    glove = read_vectors(path)
    assert glove.words == ("the", ". . .", "12", "a\u00a0b", "\u2028")
    np.testing.assert_array_equal(glove.matrix, np.float32([[0.5, -1], [1, 2], [3, 4], [5, 6], [7, 0.8]]))
    path.write_bytes("2 3\nthe 1 2 3 \né 4 5 6 \n".encode())
    assert read_vectors(path).matrix.tolist() == [[1, 2, 3], [4, 5, 6]]


LIES = {
    "header counts too many": (b"3 2\na 1 2\nb 3 4\n", r"line 4: the file ends after 2 words, the header says 3"),
    "header counts too few": (b"1 2\na 1 2\nb 3 4\n", r"line 3: the header says 1 words"),
    "header is wider": (b"2 3\na 1 2\nb 3 4\n", r"line 2: has 2 values, expected 3"),
    "header is narrower": (b"2 1\na 1 2\nb 3 4\n", r"line 2: has 2 values, expected 1"),
    "header of no width": (b"2 0\na\nb\n", "at least one value"),
    "huge header, text": (b"999999999999 2\na 1 2\n", r"line 3: the file ends after 1 words"),
    "huge header, binary": (b"999999999999 3\na " + row(1, 2, 0), r"which need 13999999999986 bytes, and 14 follow"),
    "huge width, binary": (b"1 999999999999\na " + row(1, 2, 0), "is the file whole"),
    "binary cut short": (
        b"2 3\na " + row(1, 2, 0) + b"bcdefgh " + row(1, 2),
        r"byte 34: the file ends within .*bcdefgh",
    ),
    "binary goes on": (b"1 3\na " + row(1, 2, 0) + b"b " + row(1, 2, 0), r"byte 18: 14 bytes are left"),
    "binary NaN": (b"2 3\na " + row(1, 2, 0) + b"b " + row(1, float("nan"), 0), r"byte 20: .*'b' holds NaN"),
    "binary word twice": (b"2 3\na " + row(1, 2, 0) + b"a " + row(1, 2, 0), r"byte 18: .*'a' comes a second time"),
    "binary words not UTF-8": (b"1 3\n\xff " + row(1, 2, 0), "none of its words is UTF-8"),
    "NaN": (b"a 1 2\nb nan 4\n", r"line 2: .*'b' holds NaN"),
    "infinity": (b"a 1 2\nb 3 -inf\n", r"line 2: .*'b' holds NaN or infinity"),
    "too large for float32": (b"a 1 2\nb 3 1e39\n", r"line 2: .*infinity"),
    "word twice": (b"a 1 2\nb 3 4\na 5 6\n", r"line 3: the word 'a' comes a second time"),
    "value is no number": (b"a 1 2\nb 3 four\n", r"line 2: 'four' is not a number"),
    "Python's own numbers": (b"a 1 2\nb 3 1_0\n", r"line 2: '1_0' is not a number"),
    "short line": (b"a 1 2\nb 3\n", r"line 2: has 1 values, expected 2"),
    "long line": (b"a 1 2\nb 3 4 5\n", r"line 2: has 3 values, expected 2"),
    "empty line inside": (b"a 1 2\n\nb 3 4\n", r"line 2: is empty"),
    "no word": (b"a 1 2\n 3 4\n", r"line 2: the word before the values is missing"),
    "not UTF-8": (b"\xe9t\xe9 1 2\ncaf\xe9 3 4\n", "none of its words is UTF-8: save the file as UTF-8"),
    "not UTF-8, with a header": (b"1 2\ncaf\xe9 3 4\n", "none of its words is UTF-8"),
    "not vectors at all": (b"Dear reader,\nthis is prose.\n", r"line 1: 'reader,' is not a number"),
    "a word a line": (b"alpha\nbeta\n", r"line 1: expected a header"),
    "tabs": (b"alpha\t1\t2\n", r"line 1: expected a header .* spaces"),
    "empty": (b"", "is empty"),
    "white": (b"\n\n", "empty"),
    "gzip": (b"\x1f\x8b\x08\x00aaaa", "unpack it first"),
    "pickle": (b"\x80\x04\x95 gensim", "never read"),
    "fastText model": (b"\xba\x16\x4f\x2f\x0c", "give the .vec file"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_file_that_lies_is_one_clear_line_with_its_place(tmp_path: Path, lie: str) -> None:
    content, message = LIES[lie]
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_vectors(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("keep", [set(), {"unheard"}])
def test_the_structure_is_checked_in_words_that_are_not_kept_too(tmp_path: Path, keep: set[str]) -> None:
    for lie in (
        "header counts too many",
        "short line",
        "binary cut short",
        "binary words not UTF-8",
        "header is wider",
    ):
        (tmp_path / "v").write_bytes(LIES[lie][0])
        with pytest.raises(UserError, match=LIES[lie][1]):
            read_vectors(tmp_path / "v", keep=keep)


FORMS = {
    "GloVe": b"caf\xc3\xa9 1 2\n%s 3 4\nb 5 6\n",
    "word2vec text": b"3 2\ncaf\xc3\xa9 1 2\n%s 3 4\nb 5 6\n",
    "fastText": b"3 2 \ncaf\xc3\xa9 1 2 \n%s 3 4 \nb 5 6 \n",
    "word2vec binary": b"3 2\ncaf\xc3\xa9 " + row(1, 2) + b"%s " + row(3, 4) + b"b " + row(5, 6),
    "word2vec binary, lines": b"3 2\ncaf\xc3\xa9 " + row(1, 2) + b"\n%s " + row(3, 4) + b"\nb " + row(5, 6) + b"\n",
}


@pytest.mark.parametrize("keep", [None, {"café", "b"}])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("form", FORMS)
def test_a_byte_order_mark_and_a_word_cut_inside_a_character(
    tmp_path: Path, form: str, mark: bytes, keep: set[str] | None
) -> None:
    (tmp_path / "v").write_bytes(mark + FORMS[form].replace(b"%s", b"\xe4\xb8\xad\xe6\x96"))
    found = read_vectors(tmp_path / "v", 2, keep)
    assert found.words == ("café", "b")
    assert found.matrix.tolist() == [[1, 2], [5, 6]]
    assert found.meta["not_utf8"] == 1
    (tmp_path / "v").write_bytes(mark + FORMS[form].replace(b"%s", "中文".encode()))
    assert read_vectors(tmp_path / "v", 2, keep).words == ("café", "b") if keep else ("café", "中文", "b")
    assert read_vectors(tmp_path / "v", 2, keep).meta["not_utf8"] == 0


def test_another_width_or_no_file(tmp_path: Path) -> None:
    (tmp_path / "v").write_bytes(b"a 1 2\n")
    with pytest.raises(UserError, match=r"width 2, expected 100.*embedding\.size=2"):
        read_vectors(tmp_path / "v", width=100)
    with pytest.raises(UserError, match="is not there"):
        read_vectors(tmp_path / "none")


def test_a_word_that_the_text_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="word2vec text cannot hold the word 'a b'"):
        write_word2vec_text(Vectors(("a b",), np.ones((1, 2), np.float32)), tmp_path / "v.txt")
    assert list(tmp_path.iterdir()) == []
