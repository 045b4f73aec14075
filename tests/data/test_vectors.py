"""Sequences of vectors: features, normalising without leakage, windows, orders, batches, ranks, bad input."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lightning_seq.data.sources.vector_columns import VectorLayout
from lightning_seq.data.sources.vector_files import VectorFiles
from lightning_seq.data.vectors.module import VectorData
from lightning_seq.data.vectors.prepare import VectorSplit
from lightning_seq.data.vectors.settings import Moments, VectorSettings, ordered
from lightning_seq.errors import UserError
from lightning_seq.files import Plain
from lightning_seq.spec import Batch, Class, DataSpec, Features, Tags, Values
from tests.data.given_vectors import Given, drawn, same

NAN = float("nan")


def data_of(tmp_path: Path, sequences: dict[str, list[tuple[Any, ...]]], **settings: Any) -> VectorData:
    return VectorData(Given(sequences=sequences), tmp_path, **{"batch_size": 2, **settings})


def steps_of(split: VectorSplit, row: int) -> np.ndarray:
    return split.flat[int(split.starts[row]) : int(split.stops[row])]


def all_of(data: VectorData, split: str = "train") -> Batch:
    """The examples of a split in one batch, in their order."""
    data.batch_size = data.eval_batch_size = 1000
    loader = {"train": data.train_dataloader, "validation": data.val_dataloader, "test": data.test_dataloader}[split]
    (batch,) = list(loader())
    order = torch.argsort(batch.ids)
    tensors = (batch.ids, batch.inputs, batch.mask, batch.targets, batch.target_mask)
    return Batch(*(tensor[order] for tensor in tensors), count=batch.count)


def test_features_by_hand() -> None:
    steps = np.array([[0, 2, 4, 6], [1, 1, 3, 3], [5, 5, 5, 7]], dtype=np.float32)
    assert VectorSettings(deltas=2).features(steps[:, :1]).tolist() == [[0, 0, 0], [1, 1, 1], [5, 4, 3]]
    assert VectorSettings(stride=2).features(steps).tolist() == [[0, 2, 4, 6], [5, 5, 5, 7]]
    # the points of the first step are (0, 2) and (4, 6), with the mean (2, 4)
    assert VectorSettings(centre="step").features(steps).tolist() == [[-2, -2, 2, 2], [-1, -1, 1, 1], [0, -1, 0, 1]]
    assert VectorSettings(centre="first").features(steps).tolist() == [[-2, -2, 2, 2], [-1, -3, 1, -1], [3, 1, 3, 3]]
    assert VectorSettings(deltas=1, missing="mask").names(("x",)) == ("x", "Δx", "x missing", "Δx missing")


def test_moments_equal_numpy_where_numbers_are_large_and_missing() -> None:
    values = np.random.default_rng(0).normal(1e6, 0.5, (500, 3))
    values[::7, 0] = np.nan
    values[:, 2] = 9050.4
    moments = Moments(3)
    for part in np.array_split(values, 9):
        moments.update(part)
    mean, scale = moments.result()
    np.testing.assert_allclose(mean, np.nanmean(values, 0), rtol=1e-12)
    np.testing.assert_allclose(scale[:2], np.nanstd(values, 0)[:2], rtol=1e-6)
    assert scale[2] == 1  # does not vary


def test_the_statistics_of_training_alone_normalise_all_splits(tmp_path: Path) -> None:
    rows = [([[0.0], [2.0]], "a"), ([[4.0]], "b")]
    far = [([[1000.0]], "a"), ([[-1000.0]], "b")]
    data = data_of(tmp_path, {"train": rows, "validation": far, "test": far})
    deviation = np.sqrt(8 / 3)  # of 0, 2, 4, with the mean 2
    assert data.prepared.mean == (2.0,)
    assert data.prepared.scale == pytest.approx((deviation,))
    np.testing.assert_allclose(steps_of(data.splits["train"], 0)[:, 0], [-2 / deviation, 0], rtol=1e-6)
    np.testing.assert_allclose(steps_of(data.splits["test"], 0)[:, 0], [998 / deviation], rtol=1e-6)


@pytest.mark.parametrize(("normalise", "expected"), [("sequence", [[-1, 1], [-1, 1]]), ("none", [[0, 2], [10, 30]])])
def test_normalising_by_sequence(tmp_path: Path, normalise: str, expected: list[list[float]]) -> None:
    data = data_of(tmp_path, same(([[0.0], [2.0]], "a"), ([[10.0], [30.0]], "b")), normalise=normalise)
    assert [steps_of(data.splits["test"], row)[:, 0].tolist() for row in range(2)] == expected


def test_normalising_by_group_uses_the_split_alone(tmp_path: Path) -> None:
    """Speaker s has 0 and 4 in train, 10 and 14 in test; speaker t has 1 and 1."""
    train = [([[0.0]], "a", "s"), ([[4.0]], "b", "s"), ([[1.0], [1.0]], "a", "t")]
    test = [([[10.0]], "a", "s"), ([[14.0]], "b", "s")]
    data = data_of(tmp_path, {"train": train, "validation": test, "test": test}, normalise="group")
    assert [steps_of(data.splits["train"], row)[:, 0].tolist() for row in range(3)] == [[-1], [1], [0, 0]]
    assert [steps_of(data.splits["test"], row)[:, 0].tolist() for row in range(2)] == [[-1], [1]]
    assert any("1 group (s) in train and in test" in line for line in data.summary().splitlines())
    with pytest.raises(UserError, match=r"give data.group_column"):
        data_of(tmp_path, same(([[0.0]], "a"), ([[1.0]], "b")), normalise="group")


def test_missing_numbers_are_zero_and_told(tmp_path: Path) -> None:
    rows = same(([[1.0, NAN], [3.0, 5.0]], "a"), ([[2.0, 5.0]], "b"))
    data = data_of(tmp_path, rows, missing="mask")
    assert data.spec.inputs_as(Features).width == 4
    first = steps_of(data.splits["train"], 0)
    assert first[0, 1] == 0
    assert first[:, 2:].tolist() == [[0, 1], [0, 0]]
    with pytest.raises(UserError, match=r"sequence 0, step 1: 'x2' is nan, .*data.missing=mask"):
        data_of(tmp_path, rows)
    with pytest.raises(UserError, match="'x1' is inf"):
        data_of(tmp_path, same(([[np.inf]], "a"), ([[2.0]], "b")), missing="mask")


def test_a_class_per_sequence(tmp_path: Path) -> None:
    data = data_of(tmp_path, same(([[0.0], [1.0], [2.0]], "b"), ([[3.0]], "a")), normalise="none", max_steps=2)
    assert data.spec.targets == Class(("a", "b"))
    batch = all_of(data)
    assert batch.inputs[..., 0].tolist() == [[0, 1], [3, 0]]
    assert batch.mask.tolist() == [[True, True], [True, False]]
    assert batch.targets.tolist() == [1, 0]
    assert batch.count == 2
    assert "train 2, validation 2, test 2 sequences of 1 to 2 steps of 1 numbers, 2 classes" in data.summary()


def test_a_class_per_step(tmp_path: Path) -> None:
    rows = same(([[0.0], [1.0], [2.0]], ["a", None, "b"]), ([[3.0]], ["b"]))
    data = data_of(tmp_path, rows, normalise="none", max_steps=2)
    assert data.spec.targets == Tags(("a", "b"), scheme="none")
    train, test = all_of(data), all_of(data, "test")
    assert train.inputs[..., 0].tolist() == [[0, 1], [2, 0], [3, 0]]  # pieces of two steps
    assert train.targets.tolist() == [[0, 0], [1, 0], [1, 0]]
    assert train.count == 3
    assert train.target_mask.tolist() == [[True, False], [True, False], [True, False]]
    assert test.inputs[..., 0].tolist() == [[0, 1, 2], [3, 0, 0]]
    assert test.target_mask.tolist() == [[True, False, True], [True, False, False]]
    assert data.example_ids("train").values == ["0:2", "0:3", "1:1"]
    assert data.example_ids("train").groups == [0, 0, 1]
    assert data.train_labels.tolist() == [0, 1, 1]


def test_windows_have_the_target_of_their_last_step(tmp_path: Path) -> None:
    steps = [[float(number)] for number in range(5)]
    rows = same((steps, ["a", "b", "a", "b", "b"]), ([[9.0]], ["a"]))
    data = data_of(tmp_path, rows, normalise="none", window=3)
    assert data.spec.targets == Class(("a", "b"))
    batch = all_of(data)
    assert batch.inputs[..., 0].tolist() == [[0, 1, 2], [1, 2, 3], [2, 3, 4], [9, 0, 0]]
    assert batch.targets.tolist() == [0, 1, 1, 0]
    last = all_of(data_of(tmp_path, rows, normalise="none", window=3, test_windows="last"), "test")
    assert last.inputs[..., 0].tolist() == [[2, 3, 4], [9, 0, 0]]
    with pytest.raises(UserError, match=r"data.window is for targets of steps"):
        data_of(tmp_path, same(([[0.0]], "a"), ([[1.0]], "b")), window=3)
    with pytest.raises(UserError, match="uses steps after a window"):
        VectorSettings(window=3, normalise="sequence")


def test_values_of_sequences_and_of_steps(tmp_path: Path) -> None:
    rows = same(([[0.0], [1.0]], np.array([[1.0], [3.0]])), ([[2.0]], np.array([[5.0]])))
    data = data_of(tmp_path, rows, normalise="none")
    targets = data.spec.targets_as(Values)
    assert targets.of_steps
    assert targets.mean == (3.0,)
    assert targets.scale == pytest.approx((np.sqrt(8 / 3),))
    batch = all_of(data)
    assert batch.targets[..., 0].tolist() == [[1, 3], [5, 0]]
    assert batch.count == 3
    assert batch.target_mask.tolist() == [[True, True], [True, False]]
    whole = data_of(tmp_path, same(([[0.0], [1.0]], np.array([1.0, 2.0])), ([[2.0]], np.array([3.0, 2.0]))))
    assert whole.spec.targets_as(Values).scale == (1.0, 1.0)
    assert all_of(whole).targets.tolist() == [[1, 2], [3, 2]]
    assert DataSpec.from_plain(json.loads(json.dumps(data.spec.to_plain()))) == data.spec


def test_orders_of_steps(tmp_path: Path) -> None:
    steps = np.arange(8, dtype=np.float32).reshape(4, 2)
    assert ordered(steps, "mean", (0,)).tolist() == [[3, 4]]
    assert ordered(steps, "middle", (0,)).tolist() == [[4, 5]]
    assert ordered(steps, "last", (0,)).tolist() == [[6, 7]]
    many = np.arange(200, dtype=np.float32)[:, None]
    shuffled = ordered(many, "shuffled", (1, 0, 0))
    assert sorted(shuffled[:, 0]) == many[:, 0].tolist()
    assert shuffled[:, 0].tolist() != many[:, 0].tolist()
    assert np.array_equal(shuffled, ordered(many, "shuffled", (1, 0, 0)))
    assert not np.array_equal(shuffled, ordered(many, "shuffled", (2, 0, 0)))
    tags = [str(number) for number in range(9)]
    tagged = same(([[float(number)] for number in range(9)], tags), ([[0.0]], ["0"]))
    batch = all_of(data_of(tmp_path, tagged, normalise="none", order="shuffled"))
    assert torch.equal(batch.inputs[0, :, 0].long(), batch.targets[0])  # a step keeps its class
    with pytest.raises(UserError, match=r"data.order=mean leaves one step"):
        data_of(tmp_path, tagged, order="mean")
    one = data_of(tmp_path, same(*drawn(6)), order="mean")
    assert all_of(one).inputs.shape == (6, 1, 3)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_ranks_together_count_every_sequence_once(tmp_path: Path, world: int) -> None:
    data = data_of(tmp_path, same(*drawn(23)), batch_size=4)
    seen: list[int] = []
    sizes = set()
    for rank in range(world):

        class Ranks:
            global_rank, world_size, accumulate_grad_batches = rank, world, 1

        data.trainer = Ranks()  # type: ignore[assignment]
        batches = list(data.train_dataloader())
        sizes.add(len(batches))
        for batch in batches:
            seen += batch.ids[batch.target_mask].tolist()
            assert torch.isfinite(batch.inputs).all()
            assert not batch.inputs[~batch.mask].any()
    assert sorted(seen) == list(range(23))
    assert len(sizes) == 1


def test_the_cache_gives_the_same_batches(tmp_path: Path) -> None:
    rows = same(*drawn(12))
    one, other = (data_of(tmp_path, rows, deltas=1) for _ in range(2))
    assert one.fingerprints == other.fingerprints
    assert torch.equal(all_of(one).inputs, all_of(other).inputs)
    assert data_of(tmp_path, rows, deltas=2).fingerprints["data"] != one.fingerprints["data"]
    assert data_of(tmp_path, rows, order="shuffled").fingerprints == data_of(tmp_path, rows).fingerprints


@pytest.mark.parametrize("settings", [{}, {"normalise": "sequence", "deltas": 1}, {"order": "mean", "centre": "first",
                                                                                    "coordinates": 3}])  # fmt: skip
def test_the_reader_makes_the_inputs_of_training(tmp_path: Path, settings: dict[str, Any]) -> None:
    rows = drawn(6)
    data = data_of(tmp_path, same(*rows), **settings)
    reader = type(data.reader).from_plain(json.loads(json.dumps(data.to_plain())))
    np.save(tmp_path / "one.npy", rows[0][0])
    (tmp_path / "two.csv").write_text("a,b,c\n" + "\n".join(",".join(map(str, step)) for step in rows[1][0].tolist()))
    texts = [str(tmp_path / "one.npy"), str(tmp_path / "two.csv"), json.dumps(rows[2][0].tolist())]
    made, batch = reader.encode(texts), all_of(data)
    torch.testing.assert_close(made.inputs, batch.inputs[:3, : made.inputs.shape[1]])
    for text, problem in {"[[1, 2]]": "2 numbers, expected 3", "[[1,2,3],[4,5]]": "step 2 has 2 numbers",
                          "nothing": "expected numbers in JSON", "x.npy": "there is no file", "[]": "an empty sequence",
                          "[[1, 2, Infinity]]": "is inf"}.items():  # fmt: skip
        with pytest.raises(UserError, match=re.escape(problem)):
            reader.encode([text])
        assert not reader.note(text).readable  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("sequences", "problem"),
    [
        (same(([[0.0]], "a"), ([[1.0, 2.0]], "b")), "a step has 2 numbers, expected 1"),
        (same(([[0.0]], "a"), (np.zeros((0, 1)), "b")), "the sequence is empty"),
        (same(([[0.0]], "a"), ([[1.0]], "a")), "the train split has one class"),
        (
            {**same(([[0.0]], "a"), ([[1.0]], "b")), "test": [([[0.0]], "c")]},
            "given, test split, sequence 0: no .* 'c'",
        ),
        (same(([[0.0], [1.0]], ["a"]), ([[0.0]], ["b"])), "1 targets for 2 steps"),
        (same(([[0.0]], np.array([NAN])), ([[0.0]], np.array([1.0]))), "a value to predict is missing"),
    ],
)
def test_one_line_for_bad_sequences(tmp_path: Path, sequences: dict[str, list[tuple[Any, ...]]], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        data_of(tmp_path, sequences)
    assert not list((tmp_path / "data").glob("[!.]*"))  # nothing half written


HEAD = "clip,who,x,y,label\n"


def files(tmp_path: Path, content: str, **keys: Any) -> VectorFiles:
    path = tmp_path / "steps.csv"
    path.write_text(content)
    settings = {"sequence_column": "clip", "label_column": "label", "feature_columns": ["x", "y"], **keys}
    return VectorFiles(str(path), **settings)


def test_classes_of_one_sequence_name_the_key_that_is_missing(tmp_path: Path) -> None:
    content = "clip,label,x,y\na,up,1,2\nb,down,3,4\n"
    with pytest.raises(
        UserError, match=r"line 3: 'label' is 'down', .*; data.sequence_column=NAME tells sequences apart"
    ):
        files(tmp_path, content, sequence_column=None).load()


def test_a_csv_file_with_a_row_per_step(tmp_path: Path) -> None:
    content = HEAD + "a,p,0,1,up\na,p,2,3,up\nb,q,4,,down\nc,q,6,7,up\n"
    source = files(tmp_path, content, group_column="who", test_fraction=0.4, validation_fraction=0.3)
    path = tmp_path / "steps.csv"
    table = source.table(source._rows(path, ["clip", "who", "x", "y", "label"]), HEAD.strip().split(","), str(path))
    assert table.targets == ["up", "down", "up"]
    assert table.keys == ["a", "b", "c"]
    assert table.groups == ["p", "q", "q"]
    assert table.read(0).tolist() == [[0, 1], [2, 3]]
    assert table.names == ("x", "y")
    assert np.isnan(table.read(1)[0, 1])


def test_npy_files_and_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    rows = [row for row, _ in drawn(4)]
    for number, row in enumerate(rows):
        np.save(tmp_path / f"{number}.npy", row)
    (tmp_path / "index.csv").write_text("file,label\n" + "".join(f"{number}.npy,{number % 2}\n" for number in range(4)))
    parquet.write_table(pyarrow.table({"file": [row.tolist() for row in rows], "label": [0, 1, 0, 1]}),
                        tmp_path / "index.parquet")  # fmt: skip
    for name in ("index.csv", "index.parquet"):
        path = str(tmp_path / name)
        source = VectorFiles(path, path, path, steps_column="file", label_column="label")
        table = source.load().tables["train"]
        assert table.targets == ["0", "1", "0", "1"]
        for number, row in enumerate(rows):
            np.testing.assert_allclose(table.read(number), row.astype(np.float32))
    before = VectorFiles(str(tmp_path / "index.csv"), steps_column="file", label_column="label").identity()
    np.save(tmp_path / "1.npy", rows[0])
    assert VectorFiles(str(tmp_path / "index.csv"), steps_column="file", label_column="label").identity() != before


@pytest.mark.parametrize(
    ("content", "keys", "problem"),
    [
        (HEAD + "a,p,0,red,up\n", {}, "line 2: 'y' is 'red', expected a number.*data.label_column=y"),
        (HEAD + "a,p,0,1,up\nb,p,0,1,up\na,p,0,1,up\n", {}, "line 4: sequence 'a' goes on here.*sort them by clip"),
        (HEAD + "a,p,0,1,up\na,p,0,1,down\n", {}, "line 3: 'label' is 'down', and 'up' in the first row"),
        (HEAD + "a,p,0,1,\n", {}, "line 2: the label is missing"),
        (HEAD + "a,p,0,1\n", {}, "line 2: 4 values where the header has 5"),
        (HEAD + "a,p,0,1,up\n", {"feature_columns": ["z"]}, r"no column 'z' \(data.feature_columns\)"),
        (HEAD + "a,p,0,1,up\n", {"label_column": "class"}, r"no column 'class' \(data.label_column\)"),
        (HEAD + "a,p,0,1,up\n", {"tags_column": "label"}, "data.label_column and data.tags_column came: expected one"),
        (HEAD + "a,p,0,1,0.5\n", {"label_column": None, "value_columns": ["label"], "ahead": 1}, "data.ahead=1 is for"),
    ],
)
def test_one_line_for_bad_files(tmp_path: Path, content: str, keys: dict[str, Any], problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        files(tmp_path, content, **keys).load()


def records(*rows: dict[str, Plain]) -> list[tuple[int, dict[str, Plain]]]:
    return list(enumerate(rows))


def test_remaining_life_counts_down_to_a_cap() -> None:
    layout = VectorLayout(steps_column=["a", "b"], value_columns=["rul"], countdown=True, cap=4)
    table = layout.table(records({"a": [[1.0]] * 4, "b": [[2.0]] * 4, "rul": 2}), ["a", "b", "rul"], "set")
    assert table.read(0).tolist() == [[1, 2]] * 4
    assert table.targets[0].tolist() == [[4], [4], [3], [2]]
    assert table.remaining


def test_the_target_of_later_steps() -> None:
    layout = VectorLayout(feature_columns=["x"], tags_column="w", ahead=1)
    days = [{"x": float(number), "w": w} for number, w in enumerate("abca")]
    table = layout.table(records(*days), ["x", "w"], "set")
    assert table.read(0)[:, 0].tolist() == [0, 1, 2]
    assert table.targets == [["b", "c", "a"]]
    with pytest.raises(UserError, match=r"1 steps are too few for data.ahead=1"):
        layout.table(records(days[0]), ["x", "w"], "set")


def test_one_line_for_bad_rows_of_sequences() -> None:
    layout = VectorLayout(steps_column="s", label_column="y")
    for row, problem in [
        ({"s": [[1.0], [1.0, 2.0]], "y": "a"}, "step 2 has 2 numbers and step 1 has 1"),
        ({"s": [], "y": "a"}, "an empty sequence came"),
        ({"s": [["red"]], "y": "a"}, "expected a list of steps"),
        ({"s": [[1.0]], "y": 0.5}, "expected a class: for numbers to predict give data.value_columns"),
        ({"s": "one.npy", "y": "a"}, "'one.npy' is no .npy file"),
    ]:
        with pytest.raises(UserError, match=problem):
            layout.table(records(row), ["s", "y"], "set")
