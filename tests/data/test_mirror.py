from __future__ import annotations

import io
from pathlib import Path

import pytest
from pyarrow.parquet import ParquetWriter, write_table

from lightning_seq.builders.build import build_data
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import put
from lightning_seq.data.classification.module import ClassificationData
from lightning_seq.data.sources.columns import Columns
from lightning_seq.data.sources.mirror import Mirror
from lightning_seq.errors import UserError
from lightning_seq.identity import settings_of_data


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A mirror with one set: `someone/tiny`, parquet without a README."""
    import datasets

    place = tmp_path / "mirror" / "someone" / "tiny"
    place.mkdir(parents=True)
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["bad", "good"])}
    )
    for split, labels in (("train", [0, 1] * 20), ("test", [1, 0, 1]), ("unlabelled", [-1, -1]), ("gaps", [0, None])):
        rows = {"text": [f"{split} {row}" for row in range(len(labels))], "label": labels}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(str(place / f"{split}.parquet"))
    (place / "README.md").write_text(
        "---\nconfigs:\n- config_name: default\n  data_files:\n"
        + "".join(
            f"  - split: {split}\n    path: {split}.parquet\n" for split in ("train", "test", "unlabelled", "gaps")
        )
        + "---\n"
    )
    return tmp_path / "mirror"


SPLITS = {"train": "train", "validation": None, "test": "test"}


def test_a_set_of_a_mirror(small: Path) -> None:
    source = Mirror(str(small), "someone/tiny", columns=Columns(splits=SPLITS))
    loaded = source.load()
    assert loaded.classes == ("bad", "good")
    assert loaded.tables["test"].texts == ["test 0", "test 1", "test 2"]
    assert loaded.tables["test"].labels == ["good", "bad", "good"]
    assert [len(table) for table in loaded.tables.values()] == [36, 4, 3]
    before = source.identity()
    (small / "someone" / "tiny" / "test.parquet").write_bytes(
        (small / "someone" / "tiny" / "train.parquet").read_bytes()
    )
    assert source.identity() != before


@pytest.mark.parametrize("hidden", ["unlabelled", "gaps"])
def test_hidden_labels_are_refused(small: Path, hidden: str) -> None:
    with pytest.raises(
        UserError, match=r"row \d: label missing or out of range, it is (-1|None) and should be 0 to 1 \(bad"
    ):
        Mirror(str(small), "someone/tiny", columns=Columns(splits={**SPLITS, "test": hidden})).load()


def test_what_is_not_in_the_mirror_is_named_with_what_is_near(small: Path) -> None:
    with pytest.raises(UserError, match=r"no set someone/tony; did you mean someone/tiny"):
        Mirror(str(small), "someone/tony", columns=Columns()).load()
    with pytest.raises(UserError, match=r"is not a directory"):
        Mirror(str(small / "nowhere"), "someone/tiny", columns=Columns()).identity()
    with pytest.raises(UserError, match=r"no column 'txt'.*its columns are text, label"):
        Mirror(str(small), "someone/tiny", columns=Columns(text_column="txt", splits=SPLITS)).load()
    with pytest.raises(UserError, match=r"no split 'tets'.*did you mean test"):
        Mirror(str(small), "someone/tiny", columns=Columns(splits={**SPLITS, "test": "tets"})).load()
    with pytest.raises(UserError, match=r"data\.splits has 'valid'"):
        Columns(splits={"train": "train", "valid": "x"})


def test_every_data_file_composes_and_says_what_it_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    wanted = {"batch_size": 32, "max_length": 9, "split_seed": 2}
    for name in groups()["data"]:
        config = compose([f"data={name}", f"cache={tmp_path}"])
        there = settings_of_data(config["data"])
        for key in (key for key in wanted if f"data.{key}" in there):
            put(config, f"data.{key}", wanted[key])
        made = factory(config["data"], "data")
        assert made.keywords["batch_size"] == 32  # type: ignore[attr-defined]
        source = factory(config["data"]["source"], "source")
        if "data.split_seed" in there:
            assert source.keywords["split_seed"] == 2  # type: ignore[attr-defined]
        if there.get("data.train", "") is None:
            with pytest.raises(UserError, match=r"data\.train=\w"):
                build_data(config)
        else:
            assert there["data.licence"]


@pytest.mark.parametrize(
    ("name", "classes", "sizes"),
    [
        ("rotten_tomatoes", ("neg", "pos"), [8530, 1066, 1066]),
        ("trec", ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"), [4906, 546, 500]),
    ],
)
def test_real_sets(mirror: Path, tmp_path: Path, name: str, classes: tuple[str, ...], sizes: list[int]) -> None:
    data: ClassificationData = build_data(compose([f"data={name}", f"data.mirror={mirror}", f"cache={tmp_path}"]))
    assert data.prepared.classes == classes
    assert [len(split) for split in data.prepared.splits.values()] == sizes


def parquet(columns: list[str], *values: object) -> bytes:
    """The bytes of a Parquet file with these columns, of which two may have one name."""
    import pyarrow

    buffer = io.BytesIO()
    write_table(pyarrow.table([pyarrow.array(one) for one in values], names=columns), buffer)
    return buffer.getvalue()


def bomb() -> bytes:
    """Eight million equal rows in some 100 kB."""
    import pyarrow

    buffer = io.BytesIO()
    rows = pyarrow.table({"text": ["a"] * 1_000_000, "label": [0] * 1_000_000})
    with ParquetWriter(buffer, rows.schema, compression="zstd") as file:
        for _ in range(8):
            file.write_table(rows)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (parquet(["text", "label"], [], []), r"test.parquet cannot be read: it has no rows"),
        (parquet(["sentence", "label"], ["a"], [1]), r"cannot be loaded \(Couldn't cast sentence: string"),
        (
            parquet(["text", "text", "label"], ["a"], ["b"], [1]),
            r"cannot be loaded \(.*(Multiple matches|2 times|dupl)",
        ),
        (parquet(["text", "label"], ["a"], [1])[:-9], r"test.parquet cannot be read: it is not Parquet"),
        (b"", r"test.parquet cannot be read: it is not Parquet"),
        (None, r"test.parquet cannot be read: it has 8,000,000 rows in \d+,\d+ bytes"),
    ],
    ids=["no rows", "other columns", "a column twice", "cut", "empty", "bomb"],
)
def test_a_damaged_table_is_named_in_one_line(small: Path, content: bytes | None, said: str) -> None:
    (small / "someone" / "tiny" / "test.parquet").write_bytes(bomb() if content is None else content)
    with pytest.raises(UserError, match=said):
        Mirror(str(small), "someone/tiny", columns=Columns(splits=SPLITS)).load()


def test_broken_yaml_is_named_in_one_line(small: Path) -> None:
    (small / "someone" / "tiny" / "README.md").write_text("---\nconfigs: [a: {b\n---\n")
    with pytest.raises(UserError, match=r"someone/tiny cannot be loaded \(.*line 1"):
        Mirror(str(small), "someone/tiny", columns=Columns(splits=SPLITS)).load()
