"""From words to a configuration: every choice composes, every mistake is named."""

from __future__ import annotations

import pytest

from lightning_seq.comparison.grid import entries, seeds_of
from lightning_seq.config.compose import check_name, compose
from lightning_seq.config.groups import groups
from lightning_seq.config.suggestions import USUAL
from lightning_seq.config.tree import paths, plain_differences
from lightning_seq.config.words import alternatives, is_verbatim, split_words
from lightning_seq.errors import UserError
from lightning_seq.identity import config_identity, value_at

EVERY_CHOICE = [f"{group}={choice}" for group, choices in groups().items() for choice in choices]


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
    assert config["data"]["source"]["train"] == "my file, {v=1}.csv"


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
    assert seeds_of({"seeds": "auto", "max_seeds": 4}) == [1, 2, 3, 4]


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


COLUMNS = [
    "0",
    "テキスト",
    "étiquette",
    "text (en)",
    "label: type",
    "a,b",
    "[x]",
    "{y: 1}",
    "null",
    "${z}",
    "1e3",
    "true",
    " a ",
]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_name_of_a_column_is_taken_as_typed(name: str) -> None:
    (entry,) = entries(["data=csv", "data.train=x.csv", f"data.text_column={name}", f"data.label_column={name}"])
    assert [entry.config["data"]["source"][key] for key in ("text_column", "label_column")] == [name, name]
    config = compose(["data=tatoeba_en_fr", f"data.hub.source_column={name}"])
    assert config["data"]["source"]["hub"]["source_column"] == (None if name == "null" else name)


@pytest.mark.parametrize(
    "data", ["csv", "conll", "conllu", "atis", "iitb_en_hi", "tatoeba_en_hi", "nottingham", "text8"]
)
def test_every_key_that_names_a_column_is_taken_as_typed(data: str) -> None:
    """Of every kind of source; a place in a CoNLL file stays a number."""
    before = compose([f"data={data}"])
    keys = [key for key in paths(before) if key.endswith("_column")]
    after = compose([f"data={data}", *(f"{key}=7" for key in keys)])
    for key in keys:
        assert is_verbatim(key)
        assert value_at(after, key) == (7 if type(value_at(before, key)) is int else "7")


@pytest.mark.parametrize(
    ("typed", "prompt"), [("1", "1"), ("été", "été"), ("the cat, a dog", "the cat, a dog"), ("null", None)]
)
def test_a_prompt_is_taken_as_typed(typed: str, prompt: str | None) -> None:
    (entry,) = entries(["data=text_words", f"task.sample.prompt={typed}"])
    assert entry.config["task"]["sample"]["prompt"] == prompt


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ('{"<br />": " "}', {"<br />": " "}),
        ("{'a, b': '(c)'}", {"a, b": "(c)"}),
        ("{a: b, c: d}", {"a": "b", "c": "d"}),
        ("{a:b}", {"a": "b"}),
        ("{1: 2, yes: no}", {"1": "2", "yes": "no"}),
        ("{}", {}),
    ],
)
def test_what_is_replaced_is_text(typed: str, expected: dict[str, str]) -> None:
    (entry,) = entries(["data=csv", f"data.replace={typed}"])
    assert entry.config["data"]["replace"] == expected


def test_a_value_that_hydra_cannot_read_is_answered_with_the_quotes_that_work() -> None:
    with pytest.raises(UserError, match=r"^logger.project=テ: the value cannot be read .*logger.project='\"TEXT\"'$"):
        compose(["seed=2", "logger.project=テ"])
    assert compose(["logger.project='テ, (1)'"])["logger"]["project"] == "テ, (1)"
    with pytest.raises(UserError, match="expected texts"):
        compose(["data.replace={a: {b: c}}"])


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lr=0.1", "did you mean optimizer.lr=0.1?"),
        ("epochs=2", "did you mean trainer.max_epochs=2 or word2vec.epochs=2?"),
        ("hidden=64", "did you mean model.hidden_size=64?"),
        ("model.hidden=64", "did you mean model.hidden_size=64?"),
        ("batch=32", "did you mean data.batch_size=32?"),
        ("dropout=0.5", "did you mean model.dropout=0.5 or task.dropout=0.5 or embedding.dropout=0.5?"),
        ("dataset=imdb", "did you mean data=imdb?"),
        ("layers=2", "did you mean model.num_layers=2?"),
        ("bidirectional=true", "did you mean model.bidirectional=true?"),
    ],
)
def test_a_key_without_its_group_is_understood(word: str, meant: str) -> None:
    with pytest.raises(UserError) as error:
        entries([word])
    assert meant in str(error.value)


def test_what_keys_are_called_elsewhere_leads_to_keys_that_there_are() -> None:
    choices = ["data=pairs"], ["model=transformer", "embedding=random"], ["model=cnn"]
    known = {key for words in choices for key in paths(compose(list(words)))}
    assert set(USUAL) <= known


def test_no_entries_of_an_experiment_leave_its_recipe() -> None:
    (entry,) = entries(["experiment=ud_ewt", "entries=null", "model=bilstm"])
    assert (entry.label, entry.config["name"], entry.config["task"]["characters"]) == ("bilstm", "ud_ewt", "cnn")
    assert [one.label for one in entries(["entries=null", "model=rnn,gru"])] == ["rnn", "gru"]


def test_a_label_names_the_run_and_is_no_part_of_it() -> None:
    (named,), (plain,) = entries(["model=lstm", "label=first"]), entries(["model=lstm"])
    assert named.label == "first"
    assert named.config == plain.config
    with pytest.raises(UserError, match="names one run, 2 were given"):
        entries(["model=lstm,gru", "label=first"])
    with pytest.raises(UserError, match="expected 1 to 100 letters"):
        entries(["label=a b"])


def test_a_class_that_the_user_names_is_admitted_and_one_of_a_file_is_not() -> None:
    typed = ["model=recurrent", "cell=external", "cell.path=my_package.MyCell"]
    assert compose(typed)["allow"] == ["my_package"]
    assert compose(["model=recurrent", "cell._target_=my_package.cells.MyCell"])["allow"] == ["my_package"]
    assert compose(["model=recurrent", "cell._target_=torch.nn.GRUCell"])["allow"] == []
    assert compose(typed[:2], typed[2:])["allow"] == []
    assert compose([*typed[:2], "allow=[my_package]"], typed[2:])["allow"] == ["my_package"]
    with pytest.raises(UserError, match="on the command line"):
        compose(typed[:2], [*typed[2:], "allow=[my_package]"])
    assert config_identity(compose([*typed, "allow=[my_package]"])) == config_identity(compose(typed))
    assert config_identity(compose([*typed, "allow=[other]"])) == config_identity(compose(typed))


def test_a_decoder_cell_that_is_no_cell_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"decoder_cell=\{a:1\}: expected the name of a file \(choose from: .*gru.*or \{_target_"
    ):
        compose(["data=pairs", "model=encoder_decoder", "model.decoder_cell={a:1}"])
