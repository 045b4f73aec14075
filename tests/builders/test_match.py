"""Architectures of one size: solved, recorded, refused where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

import lightning_seq
from lightning_seq.builders.match import Matching, measure, nearest, residual
from lightning_seq.cli.main import main
from lightning_seq.config.compose import compose
from lightning_seq.config.entry import Entry
from lightning_seq.config.groups import groups
from lightning_seq.config.match import read_target, resized, size_of, step, width_key
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError
from lightning_seq.records.record import Record, read
from lightning_seq.spec import (
    Caption,
    Class,
    DataSpec,
    Features,
    Grid,
    NextFrame,
    NextToken,
    Picture,
    Tags,
    Tokens,
    TokenSequence,
    Transcript,
)
from tests.runs import TINY

WORDS = ("<pad>", "<unk>", "<bos>", "<eos>", *(f"w{number}" for number in range(46)))
COUNTS = ("recurrent", "all")
E = 12
CLASSES = DataSpec(Tokens(WORDS), Class(("a", "b", "c")))
CAPTIONS = DataSpec(Picture(3, 16, 16), Caption(WORDS))
SPECS = {
    "tones": DataSpec(Features(E), Transcript(WORDS)),
    "moving_digits": DataSpec(Grid(1, (8, 8)), NextFrame(1, 8, 8)),
}
PAIRS = DataSpec(Tokens(WORDS), TokenSequence(WORDS))
WITHOUT_SIZE = ("bag_of_embeddings", "recurrent", "naive", "seasonal_naive", "drift")
SIZED = [name for name in groups()["model"] if name not in WITHOUT_SIZE]
STATELESS = ("cnn", "cnn_causal", "transformer", "transformer_causal", "window_mlp", "window_linear")
SMALL = [word for word in TINY if "hidden_size" not in word and "embedding" not in word]
SMALL += ["embedding=random", f"embedding.size={E}", "launcher=inline"]


def config_of(*words: str, kind: str = "parameters") -> Config:
    fitting = {
        "model=encoder_decoder": "data=dates", "model=captioner": "data=scenes",
        "model=listen_attend_spell": "data=tones", "model=conv_lstm": "data=moving_digits",
    }  # fmt: skip
    data = [choice for model, choice in fitting.items() if any(word.startswith(model) for word in words)]
    vectors = [] if {"data=tones", "data=moving_digits"} & {*data} else ["embedding=random", f"embedding.size={E}"]
    return compose([*data, *vectors, f"match={kind}", *words])


def spec_of(config: Config) -> DataSpec:
    if "picture" in config["model"]:
        return CAPTIONS
    if config["choices"]["data"] in SPECS:
        return SPECS[config["choices"]["data"]]
    return PAIRS if "decoder_layers" in config["model"] else CLASSES


def width_of(config: Config) -> int:
    """Of the vectors that the encoder reads: the pixels of frames, or embeddings."""
    inputs = spec_of(config).inputs
    return inputs.channels * math.prod(inputs.space) if isinstance(inputs, Grid) else E


def solved(*words: str, target: Any, kind: str = "parameters") -> dict[str, Any]:
    config = config_of(*words, f"match.target={target}", kind=kind)
    matching = Matching.of(config)
    assert matching is not None
    width = width_of(config)
    entry, found = matching.solve(Entry("it", [], config), spec_of(config), width)
    said = residual(entry.config, spec_of(config), width)
    assert said == residual(entry.config, spec_of(config), width, found)
    return said


def counted(config: Config, size: int) -> int:
    return measure(resized(config, size), spec_of(config), width_of(config))


@pytest.mark.parametrize("model", SIZED)
def test_no_other_size_is_nearer_to_the_target(model: str) -> None:
    """The oracle is every admissible size up to some above the one found, one by one."""
    config, found = (
        config_of(f"model={model}"),
        solved(f"model={model}", target="5k" if "enc" in model or "cap" in model else "8k"),
    )
    pace = step(config)
    near = {size: abs(counted(config, size) - found["target"]) for size in range(pace, found["size"] + 6 * pace, pace)}
    assert found["size"] == min(near, key=lambda size: (near[size], size))
    assert found["found"] == counted(config, found["size"])
    assert found["mismatch"] == pytest.approx((found["found"] - found["target"]) / found["target"])


def test_parameters_of_an_lstm_are_its_formula() -> None:
    found = solved("model=lstm", target="10k")
    sizes = {H: 4 * (E * H + H * H + H) for H in range(1, 100)}
    assert found["size"] == min(sizes, key=lambda H: abs(sizes[H] - 10_000))
    assert (found["key"], found["found"]) == ("model.hidden_size", sizes[found["size"]])


def test_embeddings_and_softmax_are_in_or_out() -> None:
    inside, out = (
        solved("model=gru", "task.pooling=mean", f"match.count={count}", target="9k") for count in ("all", "recurrent")
    )
    H = inside["size"]
    assert inside["found"] == len(WORDS) * E + 3 * (E * H + H * H + H) + H + 3 * (H + 1)
    assert out["size"] > H


@pytest.mark.parametrize(("model", "bytes_of"), [
    ("rnn", lambda H: 4 * H),
    ("lstm", lambda H: 8 * H),
    ("gru", lambda H: 4 * H),
    ("birnn", lambda H: 8 * H),
    ("deep_bilstm", lambda H: 32 * H),
    ("cbrnn", lambda H: 12 * H),
    ("projected_lstm", lambda H: 4 * (64 + H)),
    ("encoder_decoder", lambda H: 8 * H + 16 * H),
])  # fmt: skip
def test_state_is_the_tensors_that_are_carried(model: str, bytes_of: Callable[[int], int]) -> None:
    found = solved(f"model={model}", target=1000, kind="state")
    assert found["found"] == bytes_of(found["size"])
    assert abs(found["found"] - 1000) <= (bytes_of(2) - bytes_of(1)) / 2


@pytest.mark.parametrize("model", STATELESS)
def test_what_carries_no_state_cannot_be_matched_by_it(model: str) -> None:
    with pytest.raises(UserError, match="carries no state"):
        solved(f"model={model}", target=1000, kind="state")


@pytest.mark.parametrize(("words", "operations"), [
    (["model=lstm"], lambda H: 2 * 4 * H * (E + H)),
    (["model=bigru"], lambda H: 2 * 2 * 3 * H * (E + H)),
    (["model=stacked_lstm"], lambda H: 2 * 4 * H * (E + H) + 2 * 4 * H * (H + H)),
    (["model=projected_lstm"], lambda H: 2 * (4 * H * (E + 64) + 64 * H)),
    (["model=cnn"], lambda C: 2 * (3 + 4 + 5) * E * C),
    (["model=window_mlp"], lambda H: 2 * 5 * E * H),
    (["model=lstm", "embedding=onehot"], lambda H: 2 * 4 * H * H),
])  # fmt: skip
def test_operations_are_two_for_each_multiply_add(words: list[str], operations: Callable[[int], int]) -> None:
    config = compose([
        *(["embedding=onehot"] if "embedding=onehot" in words else ["embedding=random", f"embedding.size={E}"]),
        words[0], "match=flops",
    ])  # fmt: skip
    for size in (4, 24):
        assert measure(resized(config, size), CLASSES, E) == operations(size)


def test_operations_of_a_transformer_count_its_attention() -> None:
    config = config_of("model=transformer", "model.num_layers=1", kind="flops")
    M, T = 16, 16
    assert resized(config, M)["model"]["feedforward_size"] == 2 * M
    assert measure(resized(config, M), CLASSES, E) == 2 * (E * M + 4 * M * M + 2 * T * M + 2 * M * 2 * M)


def test_operations_with_the_softmax_are_those_and_the_head() -> None:
    spec = DataSpec(Tokens(WORDS), NextToken(WORDS))
    part, whole = (
        config_of("model=gru", f"match.count={c}", "data=verses_words", kind="flops") for c in ("recurrent", "all")
    )
    head = 2 * len(WORDS)
    assert measure(resized(whole, 8), spec, E) == measure(resized(part, 8), spec, E) + head * 8
    tags = DataSpec(Tokens(WORDS, tuple("<>ab")), Tags(("x", "y")))
    words = ["model=gru", "data=verses_punctuation", "task.characters=none", "task.case=4"]
    part, whole = (config_of(*words, f"match.count={c}", kind="flops") for c in ("recurrent", "all"))
    assert measure(resized(part, 8), tags, E) == 2 * 3 * 8 * (E + 4 + 8)
    assert measure(resized(whole, 8), tags, E) == measure(resized(part, 8), tags, E) + 2 * 2 * 8


def test_operations_of_an_encoder_decoder_are_of_both_sides() -> None:
    words = ["model=encoder_decoder", "cell=gru", "model.bidirectional=false", "model.bridge=copy"]
    part, whole = (config_of(*words, f"match.count={c}", kind="flops") for c in ("recurrent", "all"))
    H = 8
    assert measure(resized(part, H), PAIRS, E) == 2 * 2 * 3 * H * (E + H)
    assert measure(resized(whole, H), PAIRS, E) - measure(resized(part, H), PAIRS, E) == 2 * len(WORDS) * H


def test_tied_embeddings_add_what_brings_outputs_to_their_width() -> None:
    """It is no part of the recurrence, and the softmax reads what is as wide as the embedding."""
    H, V = 8, len(WORDS)
    bring = 2 * H * E
    words = ["model=encoder_decoder", "cell=gru", "model.bidirectional=false", "model.bridge=copy", "task.tied=decoder"]
    part, whole = (measure(resized(config_of(*words, f"match.count={c}", kind="flops"), H), PAIRS, E) for c in COUNTS)
    assert part == 2 * 2 * 3 * H * (E + H)
    assert whole == part + bring + 2 * V * E
    words, spec = ["model=gru", "data=verses_words", "task.tied=true"], DataSpec(Tokens(WORDS), NextToken(WORDS))
    part, whole = (measure(resized(config_of(*words, f"match.count={c}", kind="flops"), H), spec, E) for c in COUNTS)
    assert part == 2 * 3 * H * (E + H)
    assert whole == part + bring + 2 * V * E


def test_a_solved_size_is_measured_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was found while it was solved is what is said of it."""
    config, seen = config_of("model=gru", "match.target=5k"), []

    def watched(*given: Any) -> int:
        seen.append(size_of(given[0]))
        return measure(*given)

    monkeypatch.setattr("lightning_seq.builders.match.measure", watched)
    matching = Matching.of(config)
    assert matching is not None
    entry, found = matching.solve(Entry("it", [], config), CLASSES, E)
    assert residual(entry.config, CLASSES, E, found)["found"] == measure(entry.config, CLASSES, E)
    assert len(seen) == len(set(seen))
    assert size_of(entry.config) in seen


@given(st.integers(1, 5), st.integers(0, 30), st.integers(1, 9), st.integers(1, 20_000), st.integers(1, 7))
def test_bisection_finds_what_a_full_search_finds(a: int, b: int, c: int, target: int, pace: int) -> None:
    def count(size: int) -> int:
        return a * size * size + b * size + c

    largest = 90
    sizes = range(pace, largest + 1, pace)
    found, reached = nearest(count, target, pace, largest)
    assert found == min(sizes, key=lambda size: (abs(count(size) - target), size))
    assert reached == (count(sizes[0]) <= target <= count(sizes[-1]))


def test_a_size_that_a_cell_refuses_is_left_out() -> None:
    words = ["model=recurrent", "cell=external", "cell.path=tests.conformance.other_cells.EvenGRUCell", "allow=[tests]"]
    wanted = counted(config_of("model=gru_reset_before"), 20)
    assert solved(*words, target=wanted)["size"] in (18, 20, 22)
    with pytest.raises(UserError, match=r"nearest possible is its smallest size, model\.hidden_size=6"):
        solved(*words, target=10)
    words[2] = "cell.path=torch.nn.Linear"
    with pytest.raises(
        UserError, match=r"cannot be built with model\.hidden_size from 1 to 128: Linear cannot be used"
    ):
        solved(*words, target=1000)


def test_heads_divide_the_width() -> None:
    assert step(config_of("model=transformer", "model.heads=3")) == 6
    assert solved("model=transformer", "model.heads=3", "model.model_size=24", target="8k")["size"] % 6 == 0
    words = ["model=encoder_decoder_attention", "attention=multihead"]
    assert solved(*words, target="20k")["size"] % 4 == 0
    assert (
        step(config_of(*words, "attention.head_size=3")) == step(config_of(*words, "model.decoder_hidden_size=8")) == 1
    )


def test_every_layer_has_the_solved_size() -> None:
    config = config_of("model=gru", "model.hidden_size=[7,7,7]")
    assert resized(config, 5)["model"]["hidden_size"] == [5, 5, 5]
    assert size_of(resized(config, 5)) == 5
    assert solved("model=gru", "model.hidden_size=[7,7,7]", target="5k") == solved(
        "model=gru", "model.num_layers=3", target="5k"
    )
    with pytest.raises(UserError, match=r"model.num_layers=2"):
        solved("model=gru", "model.hidden_size=[7,9]", target="5k")


def test_both_sides_of_an_encoder_decoder_follow_unless_one_is_given() -> None:
    both, one = (
        solved("model=encoder_decoder", *more, target="20k") for more in ((), ("model.decoder_hidden_size=8",))
    )
    assert one["size"] > both["size"]


def test_each_model_names_its_width() -> None:
    names = ("lstm", "cnn_bilstm", "window_mlp", "encoder_decoder", "transformer", "cnn", "bag_of_embeddings")
    keys = {name: width_key(config_of(f"model={name}")) for name in names}
    assert {keys["lstm"], keys["cnn_bilstm"], keys["window_mlp"], keys["encoder_decoder"]} == {"model.hidden_size"}
    assert (keys["transformer"], keys["cnn"], keys["bag_of_embeddings"]) == ("model.model_size", "model.channels", None)


def test_a_count_makes_no_numbers() -> None:
    """On the meta device a model of hundreds of gigabytes is counted in no time and no memory."""
    assert measure(resized(config_of("model=lstm"), 65_536), CLASSES, E) == 4 * 65_536 * (E + 65_536 + 1)
    assert torch.get_default_device().type == "cpu"


@pytest.mark.parametrize(
    ("value", "number"),
    [(200_000, 200_000), ("200k", 200_000), ("1.5M", 1_500_000), ("2e5", 200_000), (2e5, 200_000), (None, None)],
)
def test_a_target_is_read(value: Any, number: int | None) -> None:
    assert read_target(value) == number


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["match.target=-5"], "match.target is -5, expected a number of at least 1, such as 200000, 200k or 1.5M"),
        (["match.target=0"], "match.target is 0, expected"),
        (["match.target=abc"], "match.target is 'abc', expected"),
        (["match.target=true"], "match.target=true: expected a word or a number"),
        (["match.count=half"], "match.count=half is unknown: choose from: all, recurrent"),
        (["match=none", "match.target=5k"], "matches nothing: add match=parameters"),
        (["match=parameter"], "did you mean parameters"),
        (["match.target=1k,2k"], "does not change the model"),
        (["match=none,parameters"], "give one match"),
        (["match.target=2k", "model.hidden_size=8"], "rnn gives model.hidden_size by itself"),
        (["match.target=2k", "model.hidden_size=8,9"], "rnn-hidden_size8 gives model.hidden_size=8 by itself"),
        (["model.hidden_size=8,9"], "rnn-hidden_size9 gives model.hidden_size=9 by itself"),
        (["match.target=10"], "rnn cannot have 10 parameters, recurrent part alone: the nearest possible is its "
         "smallest size, model.hidden_size=1, with 14"),
        (["match.target=1e15"], "largest size, model.hidden_size=65536, with 4,"),
        (["model=rnn,bag_of_embeddings"], "bag_of_embeddings: model=bag_of_embeddings has no size to solve"),
        (["model=bag_of_embeddings,rnn"], "the first entry, has 0"),
        (["model=rnn,cnn", "match=state"], "cnn: model=cnn carries no state"),
    ],
)  # fmt: skip
def test_an_impossible_match_is_refused(
    words: list[str], message: str, own: list[str], refused: Callable[..., str]
) -> None:
    given = {"model": "model=rnn", "match": "match=parameters"}
    given |= {word.partition("=")[0]: word for word in words}
    assert message in refused("compare", "seeds=1", *own, *SMALL, *given.values())
    assert not (Path(own[2].removeprefix("runs=")) / "csv").exists()


def records_of(own: list[str]) -> dict[str, Record]:
    return {p.parent.name: read(p.parent) for p in sorted(Path(own[2].removeprefix("runs=")).glob("csv/*/record.json"))}


@pytest.mark.dashboard
def test_matched_runs_are_of_one_size_and_see_the_same_batches(
    own: list[str], capsys: pytest.CaptureFixture[str], refused: Callable[..., str]
) -> None:
    words = ["compare", "model=bilstm,gru,cnn", "match=parameters", "match.target=2k", "seeds=2", *own, *SMALL]
    assert main(words) == 0
    said = capsys.readouterr().out
    records, place = records_of(own), Path(own[2].removeprefix("runs=")) / "csv"
    assert sorted(records) == sorted(f"{name}-seed{s}" for name in ("bilstm", "gru", "cnn") for s in (1, 2))
    for title, record in records.items():
        size = record.match["size"]
        assert record.parameters["recurrent"] == record.match["found"] == pytest.approx(2000, rel=0.1)
        assert record.match["target"] == 2000
        key = "channels" if record.label == "cnn" else "hidden_size"
        written = yaml.safe_load((place / title / "config.yaml").read_text())
        assert written["model"][key] == record.config["model"][key] == size
        assert record.label == title.partition("-")[0]
    checkpoint = lightning_seq.load(place / "gru-seed1/checkpoints/best.ckpt")
    assert checkpoint.config["model"]["hidden_size"] == records["gru-seed1"].match["size"]
    for name in ("batches", "split", "data", "embedding"):
        of = [{record.fingerprints[name] for record in records.values() if record.seed == seed} for seed in (1, 2)]
        assert len(of[0]) == len(of[1]) == 1
    assert records["gru-seed1"].fingerprints["batches"] != records["gru-seed2"].fingerprints["batches"]
    assert {len(record.curves["val/loss"]) for record in records.values()} == {2}
    assert {record.curves["val/loss"][-1][0] for record in records.values()} == {16}

    shown = f"{100 * records['gru-seed1'].match['mismatch']:+.2f} %"
    assert "mismatch" in said
    for name in ("table.md", "dashboard.html"):
        page = (place / name).read_text()
        assert shown in page
        assert "Sizes were solved for 2,000 parameters, in the recurrent part" in page
    assert ",mismatch," in (place / "table.csv").read_text()

    capsys.readouterr()
    assert main(words) == 0
    assert "6 of 6 runs are done already" in capsys.readouterr().out
    message = refused(*(word.replace("2k", "4k") for word in words))
    assert "bilstm-seed1 holds a run with match.target=2000, this one has match.target=4000" in message


def test_the_first_entry_is_the_measure_where_no_target_is_given(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["compare", "model=lstm,gru", "match=state", "model.hidden_size=6", "seeds=1", *own, *SMALL]
    assert main([*words, "trainer.max_epochs=1"]) == 0
    assert "gru: model.hidden_size=12: 48 of 48 bytes of state (+0.00 %)" in capsys.readouterr().out
    records = records_of(own)
    assert [records[name].match["size"] for name in ("lstm-seed1", "gru-seed1")] == [6, 12]
    assert {record.match["target"] for record in records.values()} == {48}


def test_a_lone_run_is_a_comparison_of_one(own: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "model=gru", "match=flops", "match.target=2k", "trainer.max_epochs=1", *own, *SMALL]
    assert main(words) == 0
    (record,) = records_of(own).values()
    assert record.match["found"] == 2 * 3 * record.match["size"] * (E + record.match["size"])
    capsys.readouterr()
    assert main(words) == 0
    assert "is done already" in capsys.readouterr().out


@pytest.mark.dashboard
def test_a_run_without_a_match_records_none_and_its_tables_have_no_such_column(own: list[str]) -> None:
    assert main(["train", "model=rnn", "trainer.max_epochs=1", *own, *SMALL]) == 0
    (record,) = records_of(own).values()
    assert record.match == {}
    for name in ("table.md", "table.csv", "dashboard.html"):
        assert "mismatch" not in (Path(own[2].removeprefix("runs=")) / "csv" / name).read_text()


def test_a_run_from_before_sizes_were_solved_is_not_another_one(
    own: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "model=rnn", "trainer.max_epochs=1", *own, *SMALL]
    assert main(words) == 0
    path = Path(own[2].removeprefix("runs=")) / "csv/rnn-seed1/config.yaml"
    config = yaml.safe_load(path.read_text())
    del config["match"], config["choices"]["match"]
    path.write_text(yaml.safe_dump(config))
    capsys.readouterr()
    assert main(words) == 0
    assert "is done already" in capsys.readouterr().out
