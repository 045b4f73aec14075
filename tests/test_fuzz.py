"""Whatever comes in: an answer that keeps its promise, or a UserError; nothing else.

`LIGHTNING_SEQ_FUZZ=500` tries so many examples of each in the place of 50.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lightning_seq.config.compose import compose
from lightning_seq.data.bucket_sampler import PADDING_SAMPLE, BucketSampler
from lightning_seq.embeddings.formats import read_vectors
from lightning_seq.errors import UserError
from lightning_seq.files import write_text
from lightning_seq.records.record import FILE, STATUSES
from lightning_seq.report.write import write_report
from lightning_seq.text.padding import pad_flat
from lightning_seq.text.tokenise import LEVELS, SPACES, Tokeniser
from lightning_seq.text.vocabulary import SPECIALS, UNK, Vocabulary

EXAMPLES = int(os.environ.get("LIGHTNING_SEQ_FUZZ", "50"))
fuzzed = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize="LIGHTNING_SEQ_FUZZ" not in os.environ,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

TEXT = st.text(max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


@fuzzed
@given(TEXT, st.sampled_from(LEVELS), st.booleans(), st.sampled_from(SPACES))
def test_tokeniser(text: str, level: str, lower: bool, spaces: str) -> None:
    """Tokens are never empty, and nothing but white space, joiners and case is lost."""
    tokeniser = Tokeniser(level, lower, spaces=spaces)
    tokens = tokeniser(text)
    assert all(tokens)
    assert Tokeniser.from_plain(tokeniser.to_plain())(text) == tokens
    if level != "character":
        assert not any(character.isspace() for token in tokens for character in token)
    plain = text.lower() if lower else text
    if level == "word":
        plain = plain.replace("’", "'").replace("\u200c", "").replace("\u200d", "")
        tokens = [token.replace("’", "'").replace("\u200c", "").replace("\u200d", "") for token in tokens]
    assert "".join("".join(tokens).split()) == "".join(plain.split())


@fuzzed
@given(st.lists(st.lists(st.text(max_size=6) | st.sampled_from(SPECIALS), max_size=8), max_size=8), st.integers(1, 3))
def test_vocabulary(sentences: list[list[str]], min_count: int) -> None:
    """What is known comes back as it was, the rest is `<unk>`; plain values give the same vocabulary."""
    vocabulary = Vocabulary.build(sentences, min_count)
    assert vocabulary.words[: len(SPECIALS)] == SPECIALS
    assert sum(vocabulary.counts) == sum(map(len, sentences))
    again = Vocabulary.from_plain(json.loads(json.dumps(vocabulary.to_plain())))
    assert again == vocabulary
    for sentence in sentences:
        ids = vocabulary.encode(sentence)
        for token, number, word in zip(sentence, ids, vocabulary.decode(ids), strict=True):
            assert word == token or number == UNK
            assert number == UNK or number >= len(SPECIALS)


@fuzzed
@given(st.lists(st.lists(st.integers(1, 99), max_size=7), min_size=1, max_size=9), st.data())
def test_collate(rows: list[list[int]], data: st.DataObject) -> None:
    """Every row stands at its beginning, whole, and nothing but padding is behind it."""
    flat = np.array([number for row in rows for number in row], dtype=np.int32)
    offsets = np.cumsum([0, *map(len, rows)])
    chosen = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=1, max_size=12))
    ids, mask = pad_flat(flat, offsets, np.array(chosen))
    assert ids.shape == mask.shape == (len(chosen), max(1, *(len(rows[place]) for place in chosen)))
    for place, row, real in zip(chosen, ids.tolist(), mask.tolist(), strict=True):
        length = len(rows[place])
        assert row == rows[place] + [0] * (len(row) - length)
        assert real == [True] * length + [False] * (len(row) - length)


@fuzzed
@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
    st.integers(1, 9),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.integers(0, 5),
    st.integers(0, 2**40),
)
def test_bucket_sampler(
    lengths: list[int], batch_size: int, pool: int, world: int, shuffle: bool, epoch: int, seed: int
) -> None:
    """Every sample once over all ranks, equal steps, the same from any position on."""
    ranks = []
    for rank in range(world):
        sampler = BucketSampler(np.array(lengths), batch_size, seed, shuffle, pool, rank, world)
        sampler.set_epoch(epoch)
        ranks.append(list(sampler))
        begin = len(ranks[-1]) // 2
        sampler.start_at(begin)
        assert list(sampler) == ranks[-1][begin:]
        assert list(sampler) == ranks[-1]
    assert {len(shares) for shares in ranks} == {-(-len(lengths) // batch_size)}
    real = [index for shares in ranks for share in shares for index in share.indices if index != PADDING_SAMPLE]
    assert sorted(real) == list(range(len(lengths)))
    for shares in zip(*ranks, strict=True):
        found = [index for share in shares for index in share.indices if index != PADDING_SAMPLE]
        assert {share.count for share in shares} == {len(found)}
        assert len(found) <= batch_size


KEYS = st.sampled_from([
    "model", "cell", "data", "seed", "seeds", "jobs", "name", "runs", "entries", "allow", "model.hidden_size",
    "model.engine", "cell.bias", "trainer.max_epochs", "trainer.precision", "data.batch_size", "optimizer.lr",
    "word2vec.window", "callbacks.early_stopping", "tune.space", "match.target", "logger.mode", "init", "+model.x",
    "~model",
]) | st.text(alphabet="abmodel._+~@/:-=", max_size=10)  # fmt: skip
VALUES = st.text(max_size=12) | st.sampled_from([
    "null", "true", "[1,2]", "{a: 1}", "lstm", "1e-3", "-1", "${oc.env:HOME}", "${seed}", "1,2", "'", '"', "[", "{",
    "\\",
    "$" + "{", "@", "nan", "inf", "1e999", "_target_", "../..", "\0",
])  # fmt: skip


@fuzzed
@given(st.lists(st.tuples(KEYS, VALUES).map("=".join) | TEXT, max_size=4))
def test_config_overrides(words: list[str]) -> None:
    """A configuration of plain values, or one line."""
    try:
        config = compose(words)
    except UserError:
        return
    json.dumps(config)
    assert os.environ.get("HOME", "/nowhere") not in json.dumps({**config, "cache": None, "runs": None}) or any(
        os.environ["HOME"] in word for word in words
    )


NUMBER = st.floats(-9, 9).map(repr) | st.sampled_from(["nan", "1e999", "x", "", "0x1", "1_0"])
LINE = st.tuples(st.text(max_size=5), st.lists(NUMBER, max_size=4)).map(lambda row: " ".join([row[0], *row[1]]))
VECTORS = st.lists(LINE | TEXT | st.sampled_from(["2 3", "-1 2", "99999999999 300"]), max_size=6).map(
    lambda lines: "\n".join(lines).encode("utf-8", "surrogatepass")
)


@fuzzed
@given(VECTORS | st.binary(max_size=80))
def test_vector_files(content: bytes) -> None:
    """Finite vectors of one width, a word each, or one line that names the file."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "vectors.txt"
        path.write_bytes(content)
        try:
            vectors = read_vectors(path)
        except UserError:
            return
        assert vectors.matrix.shape[0] == len(vectors.words) == len(set(vectors.words))
        assert np.isfinite(vectors.matrix).all()


def record(changes: dict[str, Any]) -> dict[str, Any]:
    whole = {
        "schema": 1, "status": "done", "name": "x", "label": "lstm", "seed": 1, "metrics": {"test/accuracy": 0.5},
        "task": "classification", "model": "lstm", "data": "csv", "curves": {"val/accuracy": [[1, 1, 1.0, 0.5]]},
        "parameters": {"total": 1, "embedding": 0, "recurrent": 1, "head": 0}, "config": {}, "artifacts": {},
    }  # fmt: skip
    return whole | changes


NAMES = st.sampled_from(["test/accuracy", "val/accuracy", "train/loss", "val/loss", "test/bleu"]) | st.text(max_size=8)
NUMBERS = st.none() | st.floats() | st.integers(-9, 10**12)
PLAIN = st.dictionaries(st.text(max_size=8), JSON, max_size=4)
WELL_FORMED: dict[str, st.SearchStrategy[Any]] = {
    "status": st.sampled_from(STATUSES),
    "label": st.text(max_size=12),
    "seed": st.integers(0, 4),
    "task": st.sampled_from(["classification", "language_modelling", "tagging", "sequence_to_sequence", "?"]),
    "model": st.text(max_size=8),
    "error": st.none() | st.text(max_size=20),
    "started": st.text(max_size=8),
    "metrics": st.dictionaries(NAMES, NUMBERS, max_size=5),
    "curves": st.dictionaries(NAMES, st.lists(st.lists(NUMBERS, max_size=5), max_size=5), max_size=3),
    "parameters": st.dictionaries(st.sampled_from(["total", "head", "x"]), st.integers(), max_size=3),
    "throughput": st.dictionaries(st.sampled_from(["tokens_per_second", "x"]), st.floats(), max_size=2),
    "artifacts": st.dictionaries(
        st.sampled_from(["predictions", "config", "log", "word_map", "gates", "x"]),
        st.dictionaries(st.sampled_from(["path", "sha256"]), st.text(max_size=8), max_size=2),
        max_size=3,
    ),
    **dict.fromkeys(("config", "environment", "match", "embedding", "fingerprints"), PLAIN),
}
ANYTHING = st.dictionaries(
    st.sampled_from([*WELL_FORMED, "schema", "jobs", "overrides", "instruments"]), JSON, max_size=3
)


@fuzzed
@given(st.lists(st.fixed_dictionaries({}, optional=WELL_FORMED) | ANYTHING, min_size=1, max_size=4))
def test_report(changed: list[dict[str, Any]]) -> None:
    """A report of whatever records say, or one line."""
    with tempfile.TemporaryDirectory() as place:
        for number, changes in enumerate(changed):
            (Path(place) / f"run{number}").mkdir()
            write_text(Path(place) / f"run{number}" / FILE, json.dumps(record(changes)))
        try:
            write_report(Path(place))
        except UserError:
            return
        assert (Path(place) / "dashboard.html").stat().st_size > 1000
