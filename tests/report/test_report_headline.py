"""The metric that leads a table, which end of it is best, and what is said about how it was measured."""

from __future__ import annotations

import csv as sheets
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.report import tables
from lightning_seq.report.curves import metrics_to_draw
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.headline import conventions, importance, lower_is_better
from lightning_seq.report.summary import Group, summarise
from lightning_seq.report.verdict import ONE_SEED
from tests.report.printed import printed

Make = Callable[..., Path]


def group_of(directory: Path) -> Group:
    (group,) = summarise(directory).groups
    return group


def language_model(label: str = "gru", cell: str | None = "gru", evaluation: str = "carry", **data: object) -> Record:
    config = {"task": {"evaluation": evaluation}, "data": {"level": "word", "layout": "columns", **data}}
    return Record("done", "demo", label, 1, task="language_modelling", cell=cell, config=config)


@pytest.mark.parametrize(
    ("metric", "lower"),
    [
        ("test/perplexity", True),
        ("test/bits_per_character", True),
        ("test/nll", True),
        ("val/loss", True),
        ("test/accuracy", False),
        ("test/f1", False),
        ("test/macro_f1", False),
        ("test/bits_correct", False),
        ("test/relation_f1", False),
        ("test/intent_accuracy", False),
        ("test/accuracy_error", False),  # of a kind of questions
        ("test/vqa_accuracy", False),
        ("test/mrr", False),
        ("test/unknown_answers", True),
    ],
)
def test_every_metric_has_its_direction(metric: str, lower: bool) -> None:
    assert lower_is_better(metric) == lower


@pytest.mark.parametrize(("level", "name"), [("word", "test/perplexity"), ("character", "test/bits_per_character")])
def test_a_language_model_is_led_by_its_own_metric_and_the_lowest_is_best(
    make_language: Make, tmp_path: Path, level: str, name: str
) -> None:
    group = group_of(make_language(tmp_path / "demo", level=level))
    assert group.headline == name
    assert group.metrics[0] == name
    assert [row.label for row in group.best()] == ["gru"]  # rnn has the better accuracy
    assert group.rows[0].metric("test/accuracy").mean > group.rows[1].metric("test/accuracy").mean


def test_spans_are_led_by_f1_and_tags_by_accuracy(make_tagging: Make, tmp_path: Path) -> None:
    spans = group_of(make_tagging(tmp_path / "spans"))
    assert (spans.headline, spans.best()[0].label) == ("test/f1", "birnn")
    tags = group_of(make_tagging(tmp_path / "tags", spans=False))
    assert (tags.headline, tags.best()[0].label) == ("test/accuracy", "rnn")


def test_music_is_led_by_its_likelihood_and_shows_it_once(make_music: Make, tmp_path: Path) -> None:
    directory = make_music(tmp_path / "demo")
    group = group_of(directory)
    assert (group.headline, group.best()[0].label) == ("test/nll", "gru")
    assert group.shown == ("test/nll",)
    assert "test/loss" in group.metrics
    assert metrics_to_draw([record for _, record in runs_in(directory)], group.headline) == ["val/nll", "train/loss"]


def test_relations_are_led_by_their_official_score(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    record = read(directory / "rnn-seed1")
    write(directory / "rnn-seed1", record.with_(metrics={**record.metrics, "test/relation_f1": 0.8}))
    group = group_of(directory)
    assert group.headline == "test/relation_f1"
    assert group.conventions[0].startswith("test/relation_f1: mean over the relations")


def test_words_and_characters_in_one_table_are_led_by_what_compares() -> None:
    mixed = [language_model(), language_model("chars", level="character")]
    assert importance(mixed)[0] == "bits_per_character"
    assert importance(mixed[:1])[0] == "perplexity"


@pytest.mark.parametrize(
    ("evaluation", "settings", "said"),
    [
        ("carry", {"eos": True}, "<eos> counted; state carried from chunk to chunk."),
        ("carry", {"eos": False}, "without <eos>; state carried from chunk to chunk."),
        ("reset", {"eos": True, "chunk_length": 35}, "<eos> counted; state reset at each chunk of 35."),
        (
            "reset",
            {"chunk_length": 35, "eval_chunk_length": 70},
            "tokens of the split; state reset at each chunk of 70.",
        ),
        ("carry", {"layout": "sequences"}, "each line read by itself, from a state of zeros."),
        ("?", {}, "whether the state was carried from chunk to chunk is not recorded."),
    ],
)
def test_perplexity_says_what_is_counted_and_what_becomes_of_the_state(
    evaluation: str, settings: dict[str, object], said: str
) -> None:
    (line,) = conventions([language_model(evaluation=evaluation, **settings)], ["test/perplexity"])
    assert line.startswith("test/perplexity (lower is better): the exponential of the mean loss over all tokens")
    assert line.endswith(said)


def test_a_model_without_a_state_is_told_apart_and_so_are_unequal_ways_to_evaluate() -> None:
    records = [language_model(chunk_length=35), language_model("window", None, chunk_length=35)]
    (line,) = conventions(records, ["test/perplexity"])
    assert "state carried from chunk to chunk (gru)" in line
    assert "each chunk of 35 read by itself, there is no state to carry (window)" in line
    unequal = [language_model(), language_model("lstm", evaluation="reset")]
    (line,) = conventions(unequal, ["test/perplexity"])
    assert line.endswith("state carried from chunk to chunk (gru); state reset at each chunk (lstm).")


def test_other_tokens_are_other_perplexities() -> None:
    records = [language_model().with_(fingerprints={"data": name}) for name in ("a", "b")]
    assert "only where the same tokens are predicted" in conventions(records, ["test/perplexity"])[-1]
    assert len(conventions(records[:1], ["test/perplexity"])) == 1


def test_bits_per_character_say_how_unknown_words_and_capitals_count() -> None:
    new = language_model(lower=True).with_(signatures={"bits_per_character": "<unk> spelt by a model"})
    old, characters = language_model("old", lower=False), language_model("c", level="character", lower=True)
    said = {record.label: conventions([record], ["test/bits_per_character"])[0] for record in (new, old, characters)}
    assert "of the text in small letters, spaces and line ends counted, <unk> spelt by a model" in said["gru"]
    assert "of the text, spaces and line ends counted, an unknown word as one token with all its letters" in said["old"]
    assert "spaces and line feeds counted, in small letters, in bits" in said["c"]


def test_the_convention_stands_where_the_number_stands(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo")
    group = group_of(directory)
    assert [line.split(" (lower is better): ")[0] for line in group.conventions] == [
        "test/perplexity",
        "test/bits_per_character",
    ]
    said = "state carried from chunk to chunk"
    summary = summarise(directory)
    assert said in tables.markdown(summary)
    assert said in printed(summarise(directory), width=300)
    assert said in dashboard(directory)
    (row, _) = sheets.DictReader(io.StringIO(tables.csv(summary)))
    assert said in row["conventions"]
    assert row["headline"] == "test/perplexity"


def test_a_configuration_that_says_nothing_breaks_nothing(make_language: Make, tmp_path: Path) -> None:
    for number, config in enumerate(({}, {"data": None, "task": "?"}, {"data": [1]})):
        directory = make_language(tmp_path / f"demo{number}", config=config)
        group = group_of(directory)
        assert group.headline == "test/perplexity"
        assert "is not recorded" in group.conventions[0]


def test_the_best_mean_is_marked_in_every_table(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo")
    mean = mean_and_std(group_of(directory).rows[1].metric("test/perplexity"))
    text = tables.markdown(summarise(directory))
    assert f"| **{mean}** |" in text
    assert text.count("**") == 2
    assert "Bold: the best mean of test/perplexity, told apart from every other label." in text
    page = dashboard(directory)
    assert page.count("<span class=significant>") == 1
    assert f"<span class=significant>{mean}</span>" in page
    assert "Take gru: it beats rnn by " in page


def test_equal_means_are_both_best(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo", metrics={"test/perplexity": 80.0})
    group = group_of(directory)
    assert [row.label for row in group.marked()] == ["rnn", "gru"]
    assert "equal within 1 %." in dashboard(directory)


def test_one_seed_marks_nobody(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo", seeds=1)
    assert "**" not in tables.markdown(summarise(directory))
    assert "<span class=significant>" not in dashboard(directory)


@pytest.fixture
def mixed(make_comparison: Make, make_tagging: Make, make_language: Make, tmp_path: Path) -> Path:
    """Two labels of three data sets each; only the first has more than one seed."""
    directory = tmp_path / "demo"
    make_comparison(directory, labels=("rnn", "lstm"), seeds=2)
    make_tagging(directory, labels=("rnn-punctuation", "birnn-punctuation"), spans=False, seeds=1)
    return make_language(directory, labels=("rnn-words", "gru-words"), seeds=1)


def test_data_sets_are_groups_with_a_headline_and_a_best_of_their_own(mixed: Path) -> None:
    groups = summarise(mixed).groups
    assert [(group.data, group.headline) for group in groups] == [
        ("verses_genre", "test/accuracy"),
        ("conll2000", "test/accuracy"),
        ("verses_words", "test/perplexity"),
    ]
    assert [group.labels for group in groups] == [
        ["rnn", "lstm"],
        ["rnn-punctuation", "birnn-punctuation"],
        ["rnn-words", "gru-words"],
    ]
    assert [[row.label for row in group.best()] for group in groups] == [["lstm"], ["rnn-punctuation"], ["gru-words"]]
    assert [group.single_seed for group in groups] == [False, True, True]


def test_every_table_is_in_parts(mixed: Path) -> None:
    text = tables.markdown(summarise(mixed))
    parts = text.split("\n## ")[1:]
    titles = ["verses_genre (classification)", "conll2000 (tagging)", "verses_words (language_modelling)"]
    assert [part.splitlines()[0].replace("\\", "") for part in parts] == titles
    assert [ONE_SEED in part for part in parts] == [False, True, True]
    assert ["test/perplexity" in part for part in parts] == [False, False, True]
    on_screen = printed(summarise(mixed))
    assert [on_screen.count(f"demo: {title}") for title in titles] == [1, 1, 1]
    rows = list(sheets.DictReader(io.StringIO(tables.csv(summarise(mixed)))))
    assert [row["data"] for row in rows] == ["verses_genre"] * 2 + ["conll2000"] * 2 + ["verses_words"] * 2
    assert [bool(row["test/perplexity mean"]) for row in rows] == [False] * 4 + [True] * 2
    assert [row["headline"] for row in rows] == ["test/accuracy"] * 4 + ["test/perplexity"] * 2


@pytest.mark.parametrize(("task", "usual"), [("captioning", "cider"), ("visual_dialog", "mrr")])
def test_exact_matches_lead_where_they_chose_the_weights(task: str, usual: str) -> None:
    first = [
        importance([Record("done", "demo", "rnn", 1, task=task, selected_by=watched)])[0]
        for watched in ("val/exact_match", "val/loss")
    ]
    assert first == ["exact_match", usual]


def test_a_chosen_headline_leads_where_it_is(mixed: Path) -> None:
    groups = summarise(mixed, headline="test/macro_f1").groups
    assert [group.headline for group in groups] == ["test/macro_f1", "test/accuracy", "test/perplexity"]
    with pytest.raises(UserError, match="no finished run has the metric test/nothing"):
        summarise(mixed, headline="test/nothing")


def test_long_names_of_metrics_leave_room_for_labels_in_a_terminal(make_language: Make, tmp_path: Path) -> None:
    directory = make_language(tmp_path / "demo", labels=("rnn-characters", "gru-characters"), level="character")
    text = printed(summarise(directory))
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "test/bits_per_" in text
    assert "rnn-characters" in text


def test_a_label_is_broken_behind_a_separator_alone(make_comparison: Make, tmp_path: Path) -> None:
    label = "recurrent-gru_reset_before-model.hidden_size=512-optimizer.lr=0.002"
    text = printed(summarise(make_comparison(tmp_path / "demo", labels=("lstm", label), seeds=3)))
    parts = [line.split()[0] for line in text.splitlines() if line.strip()]
    start = next(place for place, part in enumerate(parts) if part.startswith("recurrent-"))
    last = next(place for place, part in enumerate(parts) if place > start and label.endswith(part))
    assert "".join(parts[start : last + 1]) == label
    assert last > start
    assert all(part[-1] in "-_=" for part in parts[start:last])
