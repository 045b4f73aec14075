"""Each key of the configuration has a schema: the annotation of the setting or constructor argument it goes to."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from lightning_seq.config.annotations import Scalar, arguments
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import groups
from lightning_seq.config.schema import check, describe, kind_at
from lightning_seq.config.tree import Config, paths, put
from lightning_seq.errors import UserError
from lightning_seq.identity import ROLES, Role, can_be_swept, role_of, shown, value_at

NEEDED = {"cell": ["model=recurrent"], "attention": ["model=encoder_decoder_attention"]}

WORD, WHOLE, NUMBER, SWITCH, LIST, MAPPING, LONG = "perhaps", 3, 1.5, True, [[1]], {"a": {"b": 1}}, "x" * 5000
WRONG: dict[type, tuple[Any, ...]] = {
    bool: (WORD, WHOLE, NUMBER, LIST, MAPPING, None),
    int: (WORD, NUMBER, SWITCH, LIST, MAPPING, None, 10**40, float("nan")),
    float: (WORD, SWITCH, LIST, MAPPING, None, 1e300, float("inf"), float("nan")),
    str: (WHOLE, NUMBER, SWITCH, LIST, MAPPING, None, LONG),
    list: (WORD, WHOLE, SWITCH, MAPPING, None),
    dict: (WORD, WHOLE, SWITCH, LIST, None),
    type(None): (LIST, MAPPING),
}
"""Values of a wrong kind, by the type of a key's default."""

NULLABLE = {
    "data.frames",
    "runs", "cache", "name", "entries", "callbacks.early_stopping", "cell.forget_bias", "cell.arguments",
    "data.licence", "data.replace", "data.eval_batch_size", "data.mirror", "data.mirror_path", "data.mirror_config",
    "data.splits.validation", "data.splits.test", "data.hub.id", "data.hub.config", "data.hub.revision",
    "data.hub.splits.validation", "data.hub.splits.test", "data.hub.tokens_column", "data.hub.tag_column",
    "data.hub.source_column", "data.hub.target_column", "data.max_vocabulary", "data.max_length",
    "data.max_target_length", "data.intent_column", "data.target_level", "data.source_language",
    "data.target_language", "data.classes", "data.rows", "data.group_column", "data.label", "data.caption_column",
    "data.label_column", "data.picture_id_column", "init.chrono", "model.num_layers", "optimizer.fused",
    "task.sample.prompt", "trainer.gradient_clip_val", "data.top_answers", "data.id_column", "data.kind_column",
    "data.annotators_column", "data.choices_column", "data.steps_column", "data.feature_columns",
    "data.sequence_column", "data.tags_column", "data.value_columns", "data.cap", "data.fold", "data.max_steps",
    "data.window", "data.season", "data.windows", "data.time_column", "data.item_column", "data.value_column",
    "data.targets", "data.timezone",
}  # fmt: skip
"""Keys with a default that may be null."""
FREE_TEXT = {"runs", "cache", "name", "data.licence", "data.mirror", "data.mirror_path", "task.sample.prompt"}
"""Keys whose text may be long; the names of columns too."""
ADMITTED = {
    "embedding.frozen": (WHOLE,), "trainer.devices": (WORD,), "trainer.timeout": (NUMBER,),
    "launcher.memory": (NUMBER,), "logger.project": (WHOLE, NUMBER), "data.tokens_column": (WHOLE, WORD),
    "data.tag_column": (WHOLE, WORD), "match.target": (WHOLE, NUMBER), "model.decoder_cell": (MAPPING,),
    "data.size": (WHOLE,), "data.caption_column": (WORD,), "data.features": (MAPPING,),
    "data.cap": (NUMBER,), "data.steps_column": (WORD,),
}  # fmt: skip
"""Values of another kind than the default that have a meaning, or whose own check names what is wrong."""


def wrong_values(key: str, default: Any) -> Iterator[Any]:
    for value in WRONG[type(default)]:
        admitted = value is None and key in NULLABLE
        admitted |= value is LONG and (key in FREE_TEXT or key.endswith("_column"))
        admitted |= any(type(value) is type(one) and value == one for one in ADMITTED.get(key, ()))
        if not admitted:
            yield value


def check_walk(config: Config, group: str) -> int:
    """Asserts that each key of a group, or of no group, has a schema that refuses each wrong value; their number."""
    kept = {key: value for key, value in config.items() if key != "choices" and (key == group or not group)}
    count = 0
    for key in paths({key: value for key, value in kept.items() if group or key not in groups()}):
        assert kind_at(config, key) is not None, key
        for value in wrong_values(shown(key), value_at(config, key)):
            changed = deepcopy(kept)
            put(changed, key, value)
            with pytest.raises(UserError, match=f"^{re.escape(shown(key))}[:=.]"):
                check(changed)
            count += 1
    return count


@pytest.mark.parametrize("word", [f"{group}={choice}" for group, choices in groups().items() for choice in choices])
def test_every_choice_composes_and_refuses_each_wrong_value_of_its_keys(word: str) -> None:
    group, _, choice = word.partition("=")
    config = compose([word, *NEEDED.get(group, [])])
    assert config["choices"][group] == choice
    if group != "experiment":
        assert check_walk(config, group) >= 5


def test_keys_of_no_group_refuse_each_wrong_value() -> None:
    assert check_walk(compose([]), "") > 150


def test_a_wrong_value_is_refused_before_torch_is_imported(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom lightning_seq.config.compose import compose\n"
        "from lightning_seq.errors import UserError\n"
        "for word in ('model.hidden_size=x', 'optimizer.lr=fast', 'data.batch_size=0', 'task.schedule.factor=2',\n"
        "             'cell.forget_bias=[1]', 'callbacks.gates=3'):\n"
        "    try:\n        compose([word])\n"
        "    except UserError as error:\n        print(error)\n"
        "print('torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "model.hidden_size=x: expected a whole number of at least 1 or a list of them, x came",
        "optimizer.lr=fast: expected a number from 0 to 3e+38, fast came",
        "data.batch_size=0: expected a whole number of at least 1, 0 came",
        "task.schedule.factor=2: expected a number from 0 to 1, 2 came",
        "cell.forget_bias=[1]: expected a number or null, [1] came",
        "callbacks.gates=3: expected true or false, 3 came",
        "False",
    ]


def test_a_wrong_value_in_an_experiment_file_names_its_key() -> None:
    config = compose(["experiment=hello"])
    config["task"]["schedule"]["hold_epochs"] = "two"
    with pytest.raises(
        UserError, match=r"^task\.schedule\.hold_epochs=two: expected a whole number of at least 0, two"
    ):
        check(config)


def test_a_class_of_the_users_own_is_checked_by_its_annotations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "their_model.py").write_text(
        "raise RuntimeError('imported')\nfrom typing import Literal, Optional\n"
        "class Base:\n    def __init__(self, input_size, size: int, names: 'list[str]' = (),\n"
        "                 rate: Optional[float] = None,\n"
        "                 way: Literal['left', 'right'] = 'left', other=None): ...\n"
        "class Model(Base): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    own = "model._target_=their_model.Model"
    assert compose([own, "model.size=3", "model.rate=null", "model.other=[1]", "model.names=[a]"])["model"]["size"] == 3
    for word, message in {
        "model.size=big": "expected a whole number, big came",
        "model.names=a": "expected a list of words, a came",
        "model.rate=fast": "expected a number or null, fast came",
        "model.way=up": "is unknown: choose from: left, right",
    }.items():
        with pytest.raises(UserError, match=f"^{word}.*{message}"):
            compose([own, word])


def test_annotations_are_read_as_they_are_written() -> None:
    adamw = arguments("torch.optim.AdamW")
    assert adamw is not None
    assert adamw.kinds["amsgrad"] == Scalar("bool")
    assert describe(adamw.kinds["fused"]) == "true or false or null"
    stack = arguments("lightning_seq.models.convolution_recurrent.ConvolutionRecurrent")
    assert stack is not None
    assert not stack.open
    assert describe(stack.kinds["zoneout"]) == "a number from 0 to 1 or a list of them"
    assert arguments("lightning_seq.models.nothing.Model") is None
    assert arguments("nowhere.Model") is None


def test_every_key_of_the_identity_table_is_one_of_the_configuration() -> None:
    """Of some choice, or an argument of an optimiser that may be given."""
    words = (
        ["data=csv"], ["data=pairs", "model=encoder_decoder"], ["data=conll"], ["data=text_words"], ["data=trec"],
        ["optimizer=sgd", "embedding=random"],
    )  # fmt: skip
    known = {shown(key) for given in words for key in paths(compose(given))}
    torch = {f"optimizer.{name}" for name in ("betas", "eps", "dampening")}
    assert set(ROLES) - known - torch == {"experiment"}


def test_an_unknown_key_of_the_data_in_an_experiment_file_names_the_near_one() -> None:
    config = compose(["data=csv"])
    config["data"]["trian"] = "a.csv"
    with pytest.raises(UserError, match=r"^data\.trian: there is no key 'trian' in data; did you mean train"):
        check(config)


def test_a_group_that_an_experiment_file_makes_a_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from lightning_seq.config import compose as composing

    composed = composing._composed
    monkeypatch.setattr(composing, "_composed", lambda *given: {**composed(*given), "data": 5})
    with pytest.raises(UserError, match=r"^data=5: expected a mapping of the keys of data"):
        compose([])


def test_a_key_of_a_source_has_the_role_of_the_key_as_it_is_typed() -> None:
    assert role_of("data.source.mirror") is role_of("data.mirror") is Role.MACHINE
    assert not can_be_swept("data.source.id_column")
    assert not can_be_swept("data.source.group_column")
    assert can_be_swept("data.source.split_seed")


def test_a_source_takes_the_keys_of_its_own_constructor_alone() -> None:
    config = compose(["data=adding"])
    config["data"]["source"]["hub"] = {}
    with pytest.raises(UserError, match=r"there is no key 'hub' in data\.source"):
        check(config)
