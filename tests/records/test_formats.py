"""Every file format of an artifact: what is written is read back, with the keys that the file has on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lightning_seq.files import DAMAGE, Plain, write_json
from lightning_seq.records import (
    attention,
    captions,
    deciding_words,
    dialogs,
    gates,
    gradient_flow,
    questions,
    samples,
    states,
    tagging,
    translation,
    tuning,
    word_map,
)
from lightning_seq.records.record import SCHEMA, Record, read, write
from lightning_seq.records.sentences import MOST_WORDS, Place, Sentence

SENTENCES = (Sentence(3, ("not", "bad"), False), Sentence(11, ("so", "very", "dull"), True))
FORWARD, BACKWARD = Place(1, "forward"), Place(2, "backward")


def opening(gate: str, keeps: bool, mean: float) -> gates.Opening:
    return gates.Opening(gate, keeps, tuple(range(gates.BINS)), 0.125, 0.25, mean)


GATES = gates.Opened(
    (
        gates.Epoch(1, ((FORWARD, (opening("i", False, 0.5), opening("1 - f", True, 0.75))),)),
        gates.Epoch(2, ((FORWARD, (opening("i", False, 0.25),)), (BACKWARD, ()))),
    ),
    SENTENCES,
    ((FORWARD, ((0.5, 0.25), (0.125, 0.75, 1.0))),),
    2,
)
STATES = states.Travelled(
    SENTENCES,
    (states.Walk("backward", 0.875, (((0.5, -1.0), (2.0, 0.25)), ((0.0, 0.0), (1.0, 1.5), (-0.5, 3.0))), 2),),
    4,
)
DECIDED = deciding_words.Decided(
    "probability",
    0.75,
    SENTENCES,
    (
        deciding_words.Decision("pos", "pos", (0.25, 0.875), (-0.5, 1.5)),
        deciding_words.Decision(
            "neg",
            "pos",
            (0.5, 0.25, 0.125),
            (0.0, 0.5, -2.0),
            deciding_words.Integrated((0.25, 0.5, 1.0), 1.75, 1.875, 128),
        ),
    ),
    {
        "neg": (deciding_words.Pattern(("very", "dull"), 0.375, 2), deciding_words.Pattern(("dull",), 0.25, 1)),
        "pos": (deciding_words.Pattern(("bad",), 0.625, 1),),
    },
    7,
)
SAMPLES = samples.Samples(
    "the ",
    ((1, "the eee"), (2, "the cat")),
    (samples.Step("t", (("h", 0.75), ("o", 0.125))), samples.Step("h", (("e", 0.5), ("a", 0.25)))),
)
MAPPED = attention.MappedSentence(
    5,
    ("a", "b", "<eos>"),
    (
        attention.AttentionMap(1, ("B",), ((0.25, 0.5, 0.25),)),
        attention.AttentionMap(
            3, ("B", "A"), ((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)), (((0.0, 1.0, 0.0), (1.0, 0.0, 0.0)),) * 2
        ),
    ),
)
TAGGED = tagging.Tagged(
    ("O", "B-NP", "I-NP"),
    {("O", "O"): 9, ("B-NP", "B-NP"): 4, ("I-NP", "O"): 2},
    {
        "O": tagging.ClassScore(0.75, 1.0, 0.875, 9),
        "B-NP": tagging.ClassScore(1.0, 1.0, 1.0, 4),
        "I-NP": tagging.ClassScore(None, 0.0, 0.0, 2),
    },
    {"NP": tagging.ClassScore(0.5, 0.25, 0.375, 4, 2)},
    (
        tagging.Sentence("8", (tagging.Token("dogs", "B-NP", "O"), tagging.Token("!", None, "O")), 3.5),
        tagging.Sentence("2", (tagging.Token("run", "O", "O"),), 0.5),
    ),
)
TRANSLATION = translation.Translation(
    {"bleu": "nrefs:1|tok:13a", "chrf": "nrefs:1|nc:6"},
    (translation.Bucket("short", 2, 5, 20, 37.5), translation.Bucket("long", 6, 9, 21, None)),
    ((0.875, 41), (None, 0), (0.5, 20)),
    True,
    (translation.Example(3, "a b", "B A", "B B", 1.25), translation.Example(4, "c", "C", "C", None)),
    5,
    0.25,
    None,
    41,
)
TUNINGS = tuning.Tunings(
    1,
    2,
    {"optimizer.lr": [0.0001, 0.01, "log"], "task.dropout": [0.0, 0.5]},
    (
        tuning.Tuning(
            "lstm",
            "val/loss",
            "min",
            ({"optimizer.lr": 0.001}, {"optimizer.lr": 0.0025}),
            (None, 0.5),
            2,
            (0.75, 0.5),
            ("optimizer.lr",),
        ),
    ),
)
WORDS = word_map.WordMap(
    "PCA", (), (("king", 90, 0.5, -0.25), ("queen", 12, 0.75, 1.0), ("egg", 3, 0.0, 0.125)), ((0, 1),)
)
MEASURED = gradient_flow.Measured(
    distances=[0, 1],
    rows=[4, 3],
    norm={"mean": [-1.0, -1.5], "low": [-2.0, None], "high": [-0.5, -1.0]},
    tensors=[[-1.0, -1.5], [-0.25, None]],
    direct=None,
    memory_length=None,
    longest=1,
    lags=[[0, 0], [1, 1]],
    share=[0.75, 0.25],
    kept={"a_step": 0.5, "product": [0.0, -0.25]},
    bound=None,
    matrices={"U_f": {"radius": 0.5, "norm": 1.5}},
    jacobian={"distances": [0], "norm": [1.25]},
)
LOOKS = gradient_flow.Looks(
    4,
    (
        gradient_flow.Look(0, 0, (gradient_flow.Looked("layers.0.forward", FORWARD, MEASURED),)),
        gradient_flow.Look(
            1, 16, (gradient_flow.Looked("layers.1.backward", BACKWARD, None, "the loss is elsewhere"),)
        ),
    ),
)


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4//8/AxgAACbqBf0Z2s9GAAAAAElFTkSuQmCC"
CAPTIONED = captions.Captions(
    (1, 2),
    (
        captions.CaptionedPicture(
            7,
            PNG,
            ("a red one", "one"),
            (captions.NamedThing("red one", (0.0, 0.25, 0.5, 1.0)),),
            (
                captions.EpochCaption(1, ("a", "red"), ("!}", "}!"), (None, 0), (None, 0.75)),
                captions.EpochCaption(2, ()),
            ),
        ),
    ),
)
SCORED = captions.ScoredCaptions(
    40, (captions.ScoredCaption(3, PNG, ("a red one",), "a red two", 1.25, False, True, 0.5),)
)
ASKED = questions.AskedQuestions(
    40,
    0.25,
    (1, 2),
    (questions.KindOfQuestion("count", 20, 0.5),),
    (questions.AskedQuestion(3, PNG, "how many", "count", "2", 0.25, "1", 0.5, True, ("!}", "}!")),),
)
DIALOGS = dialogs.AnsweredDialogs(
    40,
    20,
    (
        dialogs.AnsweredDialog(3, PNG, "a dog", (dialogs.AnsweredTurn("how many", "count", "2", "1", 4),)),
        dialogs.AnsweredDialog(4, PNG, "", (dialogs.AnsweredTurn("is it big", "", "no", "no"),)),
    ),
)
WATCHED = questions.WatchedQuestions(
    (1, 2),
    (questions.WatchedQuestion(3, PNG, "how many", "2", (questions.EpochAnswer(1, "1", 0.5, ("!}", "}!")),)),),
)


class Format(NamedTuple):
    """read: of a file. keys: of the file, in their order."""

    value: Any
    read: Callable[[Path], Any]
    parse: Callable[[dict[str, Plain]], Any]
    keys: str


FORMATS = {
    "gates": Format(GATES, gates.Opened.read, gates.Opened.from_plain, "epochs sentences epoch strips"),
    "states": Format(STATES, states.Travelled.read, states.Travelled.from_plain, "sentences epoch paths"),
    "captions": Format(CAPTIONED, captions.Captions.read, captions.Captions.from_plain, "grid pictures"),
    "test_captions": Format(
        SCORED, captions.ScoredCaptions.read, captions.ScoredCaptions.from_plain, "n pictures"
    ),
    "test_questions": Format(
        ASKED, questions.AskedQuestions.read, questions.AskedQuestions.from_plain, "n chance grid kinds questions"
    ),
    "questions": Format(
        WATCHED, questions.WatchedQuestions.read, questions.WatchedQuestions.from_plain, "grid questions"
    ),
    "test_dialogs": Format(
        DIALOGS, dialogs.AnsweredDialogs.read, dialogs.AnsweredDialogs.from_plain, "n candidates dialogs"
    ),
    "deciding_words": Format(
        DECIDED, deciding_words.Decided.read, deciding_words.Decided.from_plain,
        "epoch says threshold sentences patterns",
    ),
    "samples": Format(SAMPLES, samples.Samples.read, samples.Samples.from_plain, "prompt samples steps"),
    "tagging": Format(
        TAGGED, tagging.Tagged.read, tagging.Tagged.from_plain, "labels confusion per_class spans sentences"
    ),
    "translation": Format(
        TRANSLATION, translation.Translation.read, translation.Translation.from_plain,
        "signatures by_length by_position examples beam alignment_error_rate attention_entropy n",
    ),
    "word_map": Format(
        WORDS, word_map.WordMap.read, word_map.WordMap.from_plain, "method words arrows"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_is_read_as_it_was_written(name: str, tmp_path: Path) -> None:
    value, read_file, parse, keys = FORMATS[name]
    path = tmp_path / f"{name}.json"
    write_json(path, value.to_plain())
    assert " ".join(json.loads(path.read_text())) == keys
    assert read_file(path) == value
    assert parse(value.to_plain()).to_plain() == value.to_plain()


def test_attributions_without_integrated_gradients_are_read() -> None:
    plain = DECIDED.to_plain()
    for sentence in plain["sentences"]:
        del sentence["integrated"]
    assert [one.integrated for one in deciding_words.Decided.from_plain(plain).decisions] == [None, None]
    integrated = DECIDED.decisions[1].integrated
    assert integrated is not None
    assert integrated.error == pytest.approx(0.125 / 1.875)
    assert deciding_words.completeness_error(0.001, 0.0) == pytest.approx(0.1)


def test_attention_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert attention.MappedSentence.from_plain(MAPPED.to_plain()) == MAPPED
    assert list(MAPPED.to_plain()) == ["id", "source", "maps"]
    write_json(tmp_path / "attention.json", {"sentences": [MAPPED.to_plain()]})
    (found,) = attention.read_attention(tmp_path / "attention.json")
    assert (found.number, found.source, found.cut) == (5, MAPPED.source, False)
    assert [(step.epoch, step.target) for step in found.steps] == [(1, ("B",)), (3, ("B", "A"))]
    assert [found.steps[1].weight(row, column) for row in range(2) for column in range(3)] == [0, 1, 0, 1, 0, 0]


def test_trials_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert tuning.Tunings.from_plain(TUNINGS.to_plain()) == TUNINGS
    write_json(tmp_path / "tune.json", TUNINGS.to_plain())
    assert tuning.Tunings.read(tmp_path / "tune.json") == TUNINGS
    assert list(json.loads((tmp_path / "tune.json").read_text())) == ["seed", "trials", "space", "entries"]


def test_gradient_flow_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert gradient_flow.Looks.from_plain(LOOKS.to_plain()) == LOOKS
    write_json(tmp_path / "gradient_flow.json", LOOKS.to_plain())
    found = gradient_flow.read_flow(tmp_path / "gradient_flow.json")
    assert found.reasons == ("the loss is elsewhere",)
    assert [(epoch, [layer.place for layer in layers]) for epoch, layers in found.looks] == [
        (0, ["layer 1, forward"]),
        (1, []),
    ]
    (layer,) = found.looks[0][1]
    assert (layer.norm, layer.at_end) == ({0: 0.0, 1: -0.5}, pytest.approx(0.1))
    assert (layer.share, layer.kept, layer.kept_a_step) == (((0, 0.75), (1, 1.0)), {0: 0.0, 1: -0.25}, 0.5)
    assert (layer.radius, layer.sizes) == (0.5, {"step": 1.25})


def test_what_is_too_long_for_a_page_is_cut() -> None:
    words = tuple(f"w{number}" for number in range(MOST_WORDS + 5))
    found = Sentence.from_plain(Sentence(1, words, False).to_plain())
    assert (found.words, found.cut) == (words[:MOST_WORDS], True)
    texts = tuple((epoch, "x" * (samples.LONGEST_TEXT + 1)) for epoch in range(1, 100))
    short = samples.Samples.from_plain(samples.Samples("", texts, ()).to_plain())
    assert [short.texts[0][0], short.texts[-1][0], len(short.texts)] == [1, 99, samples.MOST_TEXTS]
    assert short.texts[0][1] == "x" * samples.LONGEST_TEXT + "…"
    (picture,) = CAPTIONED.pictures
    named = captions.CaptionedPicture(
        7, PNG, (), 25 * picture.things, (captions.EpochCaption(1, ("a", "b"), (), (19, 20), (0.5, 0.25)),)
    )
    kept = captions.CaptionedPicture.from_plain(named.to_plain())
    assert (len(kept.things), kept.captions[0].things, kept.captions[0].shares) == (20, (19, None), (0.5, None))
    asked = questions.AskedQuestions.from_plain({**ASKED.to_plain(), "questions": 99 * [ASKED.questions[0].to_plain()]})
    assert len(asked.questions) == questions.MOST_QUESTIONS
    long = {**ASKED.to_plain(), "kinds": 99 * [ASKED.kinds[0].to_plain()]}
    long["questions"] = [ASKED.questions[0].to_plain() | {"answer": 999 * "a", "weights": 9 * ["!}"]}]
    cut = questions.AskedQuestions.from_plain(long)
    assert (len(cut.kinds), len(cut.questions[0].answer), len(cut.questions[0].weights)) == (30, 300, 8)
    many = gates.Opened(tuple(gates.Epoch(epoch, ()) for epoch in range(1, 200)), (), (), 199)
    epochs = [each.epoch for each in gates.Opened.from_plain(many.to_plain()).epochs]
    assert [epochs[0], epochs[-1], len(epochs)] == [1, 199, gates.MOST_EPOCHS]


@pytest.mark.parametrize(
    ("parse", "plain"),
    [
        (gates.Opened.from_plain, {**GATES.to_plain(), "epochs": []}),
        (states.Travelled.from_plain, {**STATES.to_plain(), "sentences": []}),
        (deciding_words.Decided.from_plain, {**DECIDED.to_plain(), "patterns": [{"class": "neg"}]}),
        (samples.Samples.from_plain, {"samples": [{"epoch": 1}]}),
        (attention.MappedSentence.from_plain, {**MAPPED.to_plain(), "source": ["a"]}),
        (captions.Captions.from_plain, {**CAPTIONED.to_plain(), "grid": [1, 3]}),
        (captions.Captions.from_plain, {**CAPTIONED.to_plain(), "grid": [1, 99]}),
        (captions.EpochCaption.from_plain, {"epoch": 1, "words": ["a"], "weights": ["!", "!"]}),
        (captions.Captions.from_plain, json.loads(json.dumps(CAPTIONED.to_plain()).replace("!}", "!<"))),
        (questions.AskedQuestions.from_plain, {**ASKED.to_plain(), "grid": None}),
        (questions.AskedQuestions.from_plain, {**ASKED.to_plain(), "grid": [1, 17]}),
        (questions.AskedQuestions.from_plain, json.loads(json.dumps(ASKED.to_plain()).replace("!}", "!<"))),
        (questions.AskedQuestion.from_plain, {**ASKED.questions[0].to_plain(), "truth": None}),
        (questions.WatchedQuestions.from_plain, {**WATCHED.to_plain(), "grid": [1, 1]}),
        (questions.AskedQuestion.from_plain, {**ASKED.questions[0].to_plain(), "png": "x" * 50}),
        (captions.NamedThing.from_plain, {"words": "a", "box": [0.5, 0.0, 0.25, 1.0]}),
        (captions.CaptionedPicture.from_plain, {**CAPTIONED.pictures[0].to_plain(), "things": []}),
        (captions.ScoredCaption.from_plain, {**SCORED.pictures[0].to_plain(), "png": PNG[:20] + '"' + PNG[21:]}),
        (captions.ScoredCaption.from_plain, {**SCORED.pictures[0].to_plain(), "cider": None}),
        (tagging.Tagged.from_plain, {**TAGGED.to_plain(), "labels": ["O"]}),
        (translation.Translation.from_plain, {"by_length": [{"bucket": "huge"}]}),
        (tuning.Tunings.from_plain, {"entries": {"lstm": {**TUNINGS.entries[0].to_plain(), "chosen": 1}}}),
        (word_map.WordMap.from_plain, {"words": [{"word": "king"}]}),
        (gradient_flow.Looks.from_plain, {"rows": 4, "looks": []}),
    ],
)
def test_a_file_of_another_form_is_damage(parse: Callable[[dict[str, Plain]], Any], plain: dict[str, Plain]) -> None:
    with pytest.raises(DAMAGE):
        parse(plain)


def test_a_record_of_schema_1_has_the_fields_of_schema_2(tmp_path: Path) -> None:
    old = {
        "schema": 1, "status": "done", "name": "x", "label": "gru", "seed": 1,
        "environment": {
            "torch": "2.9", "precision": "32-true", "selected by": "val/bleu", "resumed at steps": [4, 9],
            "bleu signature": "nrefs:1", "odd signature": 3,
        },
    }  # fmt: skip
    write_json(tmp_path / "record.json", old)
    found = read(tmp_path)
    assert (found.selected_by, found.resumed_at, found.signatures) == ("val/bleu", [4, 9], {"bleu": "nrefs:1"})
    assert found.environment == {"torch": "2.9", "precision": "32-true", "odd signature": 3}
    assert list(found.conditions) == [
        "torch", "precision", "odd signature", "selected by", "resumed at steps", "bleu signature",
    ]  # fmt: skip
    assert found.schema == SCHEMA == 2
    write(tmp_path, found)
    assert read(tmp_path) == found


def test_an_entry_of_another_form_stays_in_the_environment_of_a_record_of_schema_1(tmp_path: Path) -> None:
    plain = {"status": "failed", "name": "x", "label": "gru", "seed": 1, "environment": {"resumed at steps": "4"}}
    write_json(tmp_path / "record.json", {"schema": 1, **plain})
    assert read(tmp_path) == Record("failed", "x", "gru", 1, environment={"resumed at steps": "4"})
