"""From words to a configuration: every choice composes, every mistake is named."""

from __future__ import annotations

import pytest

from lightning_seq.errors import UserError
from lightning_seq.experiment.config import alternatives, check_name, compose, groups, plain_differences, split_words
from lightning_seq.experiment.grid import entries, seeds_of

EVERY_CHOICE = [f"{group}={choice}" for group, choices in groups().items() for choice in choices]


@pytest.mark.parametrize("word", EVERY_CHOICE)
def test_every_choice_composes(word: str) -> None:
    group, _, choice = word.partition("=")
    beside = {"cell": ["model=recurrent"], "attention": ["model=encoder_decoder_attention"]}
    words = [word, *beside.get(group, [])]
    assert compose(words)["choices"][group] == choice


def test_a_preset_fixes_its_cell_and_the_general_form_takes_any() -> None:
    assert compose(["model=birnn"])["cell"]["_target_"].endswith("ElmanCell")
    assert compose(["model=recurrent", "cell=gru"])["choices"]["cell"] == "gru"
    with pytest.raises(UserError, match="model=recurrent cell=gru"):
        compose(["model=lstm", "cell=gru"])


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("model=lsmt", "did you mean lstm"),
        ("modle=lstm", "did you mean model"),
        ("model.hiden_size=3", "did you mean hidden_size"),
        ("seed=x", "expected a whole number"),
        ("trainer.max_epochs=1.5", "expected a whole number"),
        ("optimizer.lr=fast", "expected a number"),
        ("model.bidirectional=perhaps", "expected true or false"),
        ("optimizer.lr=[1", "optimizer.lr"),
        ("lstm", "expected key=value"),
        ("data.batch_size", "expected key=value"),
    ],
)
def test_a_mistake_is_named(word: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        compose([word])


def test_free_text_is_taken_verbatim() -> None:
    config = compose(["runs=/tmp/a b,c/$x", "data=csv", "data.train=my file, {v=1}.csv"])
    assert config["runs"] == "/tmp/a b,c/$x"
    assert config["data"]["train"] == "my file, {v=1}.csv"


def test_commas_separate_outside_brackets_and_quotes() -> None:
    (word,) = split_words(["model.hidden_size=[8,16],32"])
    assert alternatives(word) == ["[8,16]", "32"]
    (word,) = split_words(["runs=a,b"])
    assert alternatives(word) == ["a,b"]
    with pytest.raises(UserError, match="empty value"):
        alternatives(split_words(["model=rnn,,gru"])[0])


def test_entries_are_the_product_and_their_labels_say_what_differs() -> None:
    found = entries(["model=rnn,lstm", "optimizer.lr=0.1,0.01", "data=verses_genre"])
    assert [entry.label for entry in found] == ["rnn-lr0.1", "rnn-lr0.01", "lstm-lr0.1", "lstm-lr0.01"]
    assert found[2].config["optimizer"]["lr"] == 0.1
    assert found[2].overrides == ["model=lstm", "optimizer.lr=0.1"]
    assert {entry.config["name"] for entry in found} == {"verses_genre"}
    assert [e.label for e in entries(["model=recurrent", "cell=gru,lstm"])] == ["recurrent-gru", "recurrent-lstm"]


def test_an_experiment_file_lists_its_entries() -> None:
    architectures = ["rnn", "lstm", "gru", "birnn"]
    found = entries(["experiment=demo", "seeds=1"])
    assert [entry.label for entry in found] == [*architectures, *(f"{name}-marks" for name in architectures)]
    assert found[3].config["model"]["bidirectional"] is True
    assert found[0].config["name"] == "demo"
    with pytest.raises(UserError, match="lists its own entries"):
        entries(["experiment=demo", "model=rnn,lstm"])


def test_two_entries_of_one_label_are_refused() -> None:
    with pytest.raises(UserError, match="2 entries are called 'rnn'"):
        entries(["model=rnn,rnn"])


@pytest.mark.parametrize(("seeds", "expected"), [(3, [1, 2, 3]), ([1, 5], [1, 5]), ([0], [0])])
def test_seeds(seeds: object, expected: list[int]) -> None:
    assert seeds_of({"seeds": seeds}) == expected


@pytest.mark.parametrize("seeds", [0, -1, True, "three", [], [1, 1], [-1], 1.5])
def test_wrong_seeds_are_refused(seeds: object) -> None:
    with pytest.raises(UserError, match="seeds is"):
        seeds_of({"seeds": seeds})


@pytest.mark.parametrize("name", ["a/b", "..", ".hidden", "-x", "", "a b", "x" * 101, "a\nb", "ü"])
def test_names_that_are_no_directory_names_are_refused(name: str) -> None:
    with pytest.raises(UserError, match="expected 1 to 100"):
        check_name("name", name)


def test_differences_name_the_keys() -> None:
    one, other = {"a": {"b": 1, "c": 2}, "d": 3}, {"a": {"b": 1, "c": 4}}
    assert list(plain_differences(one, other)) == [("a.c", 2, 4), ("d", 3, None)]
