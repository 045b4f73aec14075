"""Series as windows: what a model sees, what it never sees, and times as clocks show them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lightning_seq.data.bucket_sampler import PADDING_SAMPLE
from lightning_seq.data.forecasting.calendar import calendar_features, following
from lightning_seq.data.forecasting.module import ForecastingData
from lightning_seq.data.forecasting.windows import WindowSampler, filled
from lightning_seq.data.sources.dynamical import Lorenz, MackeyGlass
from lightning_seq.data.sources.embedded_series import EmbeddedSeries
from lightning_seq.data.sources.panel import Panel
from lightning_seq.data.sources.panel_columns import PanelColumns
from lightning_seq.data.sources.panel_times import read_stamps, to_utc
from lightning_seq.data.sources.series import SeriesFiles
from lightning_seq.errors import UserError
from lightning_seq.files import Plain

nan = np.nan


class Given:
    """A panel as a source."""

    def __init__(self, panel: Panel) -> None:
        self.panel = panel

    def describe(self) -> str:
        return "given"

    def identity(self) -> Plain:
        return {"values": repr(self.panel.values.tolist()), "known": repr(self.panel.known)}

    def load(self) -> Panel:
        return self.panel


def made(values: list[list[float]], tmp_path: Path, **settings: Any) -> ForecastingData:
    further = {name: settings.pop(name) for name in ("known", "past", "static", "times", "ends") if name in settings}
    names = {f"{name}_names": (name,) for name in ("known", "past", "static") if name in further}
    offsets = np.cumsum([0, *map(len, values)])
    panel = Panel(
        [f"s{number}" for number in range(len(values))], np.concatenate([np.array(one, float) for one in values]),
        offsets, **further, **names,
    )  # fmt: skip
    return ForecastingData(Given(panel), tmp_path, **{"context": 4, "horizon": 2, "scale": "none", **settings})


def batch_of(data: ForecastingData, split: str) -> Any:
    dataset, sampler = data.batches(split)
    return dataset[next(iter(sampler))]


def test_windows_are_the_steps_before_and_after_an_origin(tmp_path: Path) -> None:
    data = made([list(range(20)), list(range(100, 109))], tmp_path, validation_fraction=0.2, test_fraction=0.2)
    assert data.prepared.arrays.ends.tolist() == [[12, 16], [5, 7]]
    test = batch_of(data, "test")
    assert test.inputs[:, :, 0].tolist() == [[12, 13, 14, 15], [13, 14, 15, 16], [14, 15, 16, 17], [103, 104, 105, 106]]
    assert test.targets.tolist() == [[16, 17], [17, 18], [18, 19], [107, 108]]
    assert data.example_ids("test").values == ["s0 16", "s0 17", "s0 18", "s1 7"]
    short = data.splits["train"].at(np.array([len(data.splits["train"]) - 1]))
    assert [part.tolist() for part in short] == [[1], [3]]  # with three steps of past instead of four
    assert len(data.splits["train"]) == (12 - 2 - 4 + 1) + 1


def test_stride_moves_the_origins_of_evaluation_alone(tmp_path: Path) -> None:
    data = made([list(range(40))], tmp_path, stride=3)
    assert data.splits["test"].at(np.arange(2))[1].tolist() == [34, 37]
    assert len(data.splits["test"]) == 2
    assert data.splits["train"].at(np.arange(3))[1].tolist() == [4, 5, 6]


@pytest.mark.parametrize("scale", ["standard", "mean_abs", "minmax", "robust"])
def test_the_scale_of_a_series_is_of_its_train_part(scale: str, tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(5, 2, 60)
    one = made([values.tolist()], tmp_path / "a", scale=scale)
    start = int(one.prepared.arrays.ends[0, 0])
    later = values.copy()
    later[start:] = 1e6
    other = made([later.tolist()], tmp_path / "b", scale=scale)
    assert one.prepared.arrays.scales.tolist() == other.prepared.arrays.scales.tolist()
    mine, theirs = batch_of(one, "train"), batch_of(other, "train")
    assert np.array_equal(mine.inputs, theirs.inputs)
    assert np.array_equal(mine.targets, theirs.targets)
    if scale == "standard":
        assert one.prepared.arrays.scales[0] == pytest.approx([values[:start].mean(), values[:start].std()], rel=1e-5)


def test_no_window_sees_its_own_future(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=50)
    one = made([values.tolist()], tmp_path / "a")
    for split in ("train", "validation", "test"):
        rows = np.arange(len(one.splits[split]))
        _, origins = one.splits[split].at(rows)
        row = len(rows) // 2
        changed = values.copy()
        changed[int(origins[row]) :] = 9.0
        other = made([changed.tolist()], tmp_path / f"b{split}")
        dataset, again = one.batches(split)[0], other.batches(split)[0]
        from lightning_seq.data.bucket_sampler import BatchShard

        shard = BatchShard([row], 2)
        assert np.array_equal(dataset[shard].inputs, again[shard].inputs)  # type: ignore[index]
        assert not np.array_equal(dataset[shard].targets, again[shard].targets)  # type: ignore[index]


def test_a_random_split_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"data.split=random would train on values from after the test windows"):
        made([list(range(20))], tmp_path, split="random")


def test_a_horizon_that_no_series_has_is_an_error_and_no_damaged_cache(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match=r"no series has 30 steps in its train part: give a smaller data.horizon"):
        made([list(range(20))], tmp_path, horizon=30)
    assert caplog.messages == []


def test_missing_values_are_no_targets_and_are_told(tmp_path: Path) -> None:
    values = [float(step) for step in range(20)]
    values[14] = values[17] = nan
    data = made([values], tmp_path, validation_fraction=0.2, test_fraction=0.2)
    test = batch_of(data, "test")
    assert data.spec.inputs.names == ("value", "observed")  # type: ignore[attr-defined]
    assert test.inputs[0].tolist() == [[12, 1], [13, 1], [0, 0], [15, 1]]
    assert test.target_mask.tolist() == [[True, False], [False, True], [True, True]]
    assert test.count == 4
    assert "2 of 20 values are missing: they do not count" in data.summary()


def test_an_unknown_season_and_the_lengths_are_told(tmp_path: Path) -> None:
    alike, unlike = [list(range(20)), list(range(20))], [list(range(20)), list(range(25))]
    unknown = made(alike, tmp_path / "unknown").summary()
    assert "2 series of 20 steps" in unknown
    assert "season: 1, as none is known" in unknown
    known = made(unlike, tmp_path / "known", season=5).summary()
    assert "2 series of 20 to 25 steps" in known
    assert "as none is known" not in known


def test_a_column_without_numbers_is_named_with_its_value(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("date,sold\n2025-01-01,3\n2025-01-02,4\n")
    with pytest.raises(UserError, match=r"column 'date' has '2025-01-01.*', expected a number: name it as time_column"):
        SeriesFiles(train=str(tmp_path / "sales.csv")).load()


def test_filling_stays_within_a_window() -> None:
    rows = np.array([[nan, 1.0, nan, 3.0], [2.0, nan, nan, nan]])
    lengths = np.array([4, 3])
    assert np.array_equal(filled(rows, lengths, "forward"), [[nan, 1, 1, 3], [2, 2, 2, nan]], equal_nan=True)
    assert np.array_equal(filled(rows, lengths, "linear"), [[nan, 1, 2, 3], [2, 2, 2, nan]], equal_nan=True)
    assert np.array_equal(filled(rows, lengths, "none"), rows, equal_nan=True)


def test_known_covariates_are_those_of_the_next_step(tmp_path: Path) -> None:
    steps = np.arange(20.0)
    data = made([steps.tolist()], tmp_path, known=steps[:, None], past=10 * steps[:, None])
    test, start = batch_of(data, "test"), int(data.prepared.arrays.ends[0, 0])
    mean, deviation = steps[:start].mean(), steps[:start].std()
    raw = test.inputs[0, :, 2] * deviation + mean
    assert np.allclose(raw, test.inputs[0, :, 0] + 1, atol=1e-4)
    assert np.allclose(test.extra["future"][0, :, 0] * deviation + mean, test.targets[0], atol=1e-4)
    assert np.allclose(test.inputs[0, :, 1] * deviation + mean, test.inputs[0, :, 0], atol=1e-4)  # the past ones


def test_windows_of_an_epoch_are_a_pure_function(tmp_path: Path) -> None:
    windows = made([list(range(200))], tmp_path).splits["train"]
    whole = [WindowSampler(windows, 16, seed=3, size=64) for _ in range(2)]
    for sampler in whole:
        sampler.set_epoch(5)
    first, again = ([shard.indices for shard in sampler] for sampler in whole)
    assert first == again
    assert len(first) == 4 == len(whole[0])
    ranks = [WindowSampler(windows, 16, seed=3, size=64, rank=rank, world=3) for rank in range(3)]
    parts = []
    for sampler in ranks:
        sampler.set_epoch(5)
        parts.append([shard.indices for shard in sampler])
    for number, batch in enumerate(first):
        assert sorted(index for part in parts for index in part[number]) == sorted(batch)
    resumed = WindowSampler(windows, 16, seed=3, size=64)
    resumed.set_epoch(5)
    resumed.start_at(2)
    assert [shard.indices for shard in resumed] == first[2:]
    everything = WindowSampler(windows, 1000, seed=3)
    assert sorted(next(iter(everything)).indices) == list(range(len(windows)))
    lonely = WindowSampler(windows, 1, shuffle=False, size=1, rank=1, world=2)
    assert next(iter(lonely)).indices == [PADDING_SAMPLE]


def test_groups_are_series_or_stretches_of_time(tmp_path: Path) -> None:
    one = made([list(range(60))], tmp_path / "a", test_fraction=0.2)
    assert one.example_ids("test").groups == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5]
    many = made([list(range(20 + number)) for number in range(20)], tmp_path / "b")
    assert set(many.example_ids("test").groups or ()) == {f"s{number}" for number in range(20)}


def test_features_of_the_calendar() -> None:
    moments = np.array(["2024-02-29T18:00", "2024-03-04T00:00"], dtype="datetime64[s]").astype(np.int64)
    found = calendar_features(moments, None, ["hour_of_day", "day_of_week", "month_of_year"])
    assert found[0] == pytest.approx(
        [-1, 0, np.sin(2 * np.pi * 3 / 7), np.cos(2 * np.pi * 3 / 7), 0.5, np.sqrt(3) / 2], abs=1e-6
    )
    assert found[1, :4] == pytest.approx([0, 1, 0, 1], abs=1e-6)  # a Monday, midnight
    berlin = calendar_features(moments, "Europe/Berlin", ["hour_of_day"])
    assert berlin[1] == pytest.approx([np.sin(2 * np.pi / 24), np.cos(2 * np.pi / 24)], abs=1e-6)


def test_months_follow_each_other() -> None:
    last = int(np.datetime64("1960-11-01", "s").astype(np.int64))
    after = following(last, 0, 3).astype("datetime64[s]").astype("datetime64[D]")
    assert [str(day) for day in after] == ["1960-12-01", "1961-01-01", "1961-02-01"]
    assert following(0, 3600, 2).tolist() == [3600, 7200]


HOURS = [f"2016-10-30 0{hour}:00" for hour in (0, 1, 2, 2, 3, 4)]


def test_summer_time_that_ends_gives_an_hour_twice() -> None:
    stamps = read_stamps(HOURS, "date", "x.csv")
    seconds, notes = to_utc(stamps.seconds, np.zeros(6, dtype=int), "Europe/Berlin")
    assert np.diff(seconds).tolist() == [3600] * 5
    assert str(np.datetime64(int(seconds[0]), "s")) == "2016-10-29T22:00:00"
    assert "1 come twice" in notes[0]
    columns = {"date": HOURS, "y": np.arange(6.0)}
    with pytest.raises(UserError, match=r"2016-10-30T02:00:00 twice.*data.timezone="):
        PanelColumns(time_column="date").panel(columns, "x.csv")
    panel = PanelColumns(time_column="date", timezone="Europe/Berlin").panel(columns, "x.csv")
    assert panel.values.tolist() == [0, 1, 2, 3, 4, 5]


def test_summer_time_that_begins_leaves_no_gap() -> None:
    hours = ["2016-03-27 00:00", "2016-03-27 01:00", "2016-03-27 03:00", "2016-03-27 04:00"]
    columns = {"date": hours, "y": np.arange(4.0)}
    local = PanelColumns(time_column="date").panel(columns, "x.csv")
    assert np.array_equal(local.values, [0, 1, nan, 2, 3], equal_nan=True)
    assert "1 steps that the times skip are missing values" in local.notes[0]
    assert PanelColumns(time_column="date", timezone="Europe/Berlin").panel(columns, "x.csv").values.tolist() == [
        0, 1, 2, 3,
    ]  # fmt: skip


def test_times_with_offsets_are_in_utc() -> None:
    texts = ["2024-01-01T00:30:00+01:00", "2024-01-01T00:30:00Z"]
    assert np.diff(read_stamps(texts, "t", "x").seconds).tolist() == [3600]
    with pytest.raises(UserError, match="row 2: 'noon' is no time"):
        read_stamps(["2024-01-01", "noon"], "t", "x")
    with pytest.raises(UserError, match="1 of 2 times have an offset"):
        read_stamps(["2024-01-01T00:30:00+01:00", "2024-01-01T00:30:00"], "t", "x")


def test_a_long_table_in_any_order(tmp_path: Path) -> None:
    file = tmp_path / "sales.csv"
    file.write_text(
        "shop,day,sold,price,town\nb,2024-01-02,5,1.5,x\na,2024-01-01,1,2,y\nb,2024-01-01,4,1,x\na,2024-01-03,3,2,y\n"
        "b,2024-01-03,,1,x\n"
    )
    columns = {"time_column": "day", "item_column": "shop", "value_column": "sold"}
    panel = SeriesFiles(train=str(file), **columns, known=["price"], static=["town"]).load()  # type: ignore[arg-type]
    assert panel.names == ["a", "b"]
    assert np.array_equal(panel.values, [1, nan, 3, 4, 5, nan], equal_nan=True)
    assert panel.offsets.tolist() == [0, 3, 6]
    assert panel.known is not None
    assert np.array_equal(panel.known[:, 0], [2, nan, 2, 1, 1.5, 1], equal_nan=True)
    assert panel.static is not None
    assert panel.static.tolist() == [[0, 1], [1, 0]]
    assert panel.static_names == ("town=x", "town=y")
    assert panel.step == 86_400
    assert panel.times is not None
    assert np.diff(panel.times[:3]).tolist() == [86_400] * 2


def test_a_wide_table_and_its_later_files(tmp_path: Path) -> None:
    files = {}
    for split, first in (("train", 1), ("test", 4)):
        files[split] = str(tmp_path / f"{split}.csv")
        rows = [f"2024-0{month}-01,{month},{10 * month}" for month in range(first, first + 3)]
        Path(files[split]).write_text("\n".join(["month,a,b", *rows]))
    panel = SeriesFiles(**files, time_column="month").load()  # type: ignore[arg-type]
    assert panel.names == ["a", "b"]
    assert panel.values.tolist() == [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]
    assert panel.ends is not None
    assert panel.ends.tolist() == [[-1, 3], [-1, 3]]
    assert panel.step == 0


def test_lists_of_values_a_line(tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('{"item_id": "a", "target": [1, null, 3]}\n{"item_id": "b", "target": [4]}\n')
    panel = SeriesFiles(train=str(file), item_column="item_id", value_column="target").load()
    assert np.array_equal(panel.values, [1, nan, 3, 4], equal_nan=True)
    assert (panel.names, panel.offsets.tolist()) == (["a", "b"], [0, 3, 4])


@pytest.mark.parametrize(
    ("text", "columns", "message"),
    [
        ("t,y\n2024-01-01,1\n2024-01-02,x\n", {"time_column": "t"}, "row 2: column 'y' has 'x', expected a number"),
        ("t,y\n2024-01-01,1\n", {"time_column": "tt"}, r"no column 'tt' \(data.time_column\)"),
        ("t,y\n2024-01-01,1\n2024-01-01,2\n", {"time_column": "t"}, "has 2024-01-01T00:00:00 twice"),
        (
            "t,y\n2024-01-01,1\n2024-01-02,1\n2024-01-03,1\n2024-01-04 05:00,2\n", {"time_column": "t"},
            "times of y are not regular",
        ),
        ("t,y\n", {}, "has no rows"),
        ("t,y\n1,1\n", {"item_column": "t"}, "give data.value_column too"),
        ("t,y\n2024-01-01,1\n", {"time_column": "t", "timezone": "Berlin"}, "data.timezone=Berlin is unknown"),
    ],
)  # fmt: skip
def test_wrong_tables_are_refused(text: str, columns: dict[str, Any], message: str, tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text(text)
    with pytest.raises(UserError, match=message):
        SeriesFiles(train=str(file), **columns).load()


def test_a_million_points_prepare_in_seconds(tmp_path: Path) -> None:
    import time

    values = np.random.default_rng(0).normal(size=(100, 10_000))
    panel = Panel(list(map(str, range(100))), values.reshape(-1), np.arange(101) * 10_000)

    class Many(Given):
        def identity(self) -> Plain:
            return "many"

    begin = time.process_time()
    data = ForecastingData(Many(panel), tmp_path, context=48, horizon=12, windows=1000)
    batch_of(data, "train")
    assert time.process_time() - begin < 5


def test_embedded_and_generated_series() -> None:
    passengers = EmbeddedSeries().load()
    assert (len(passengers.values), passengers.values[0], passengers.values[-1], passengers.season) == (
        144,
        112,
        432,
        12,
    )
    spots = EmbeddedSeries("sunspots").load()
    assert (len(spots.values), spots.values.max()) == (2820, 253.8)
    one, again = MackeyGlass(length=400).load().values, MackeyGlass(length=400).load().values
    assert np.array_equal(one, again)
    assert not np.array_equal(one, MackeyGlass(length=400, split_seed=2).load().values)
    assert 0.2 < one.min() < one.max() < 1.5  # the attractor of τ = 17
    slope = np.gradient(one)[50:-50]
    late = one[50 - 17 : -50 - 17]
    rule = 0.2 * late / (1 + late**10) - 0.1 * one[50:-50]
    assert np.abs(slope - rule).max() < 0.01
    x = Lorenz(length=500).load()
    assert x.names == ["x", "y", "z"]
    assert 15 < x.values[1000:].mean() < 30
    noisy = MackeyGlass(length=400, noise=0.1).load().values
    assert (noisy - one).std() == pytest.approx(0.1 * one.std(), rel=0.15)
