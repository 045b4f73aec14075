"""Each wrong input: one clear line, exit code 2, nothing left behind."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from tests.runs import TINY, sentences, write_csv

Refused = Callable[..., str]


def runs_of(own: list[str]) -> Path:
    return Path(own[2].removeprefix("runs="))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "did you mean train"),
        (["train", "--verbose"], "flags are --help, -h, --version, --list, --debug"),
        (["train", "model=lsmt"], "did you mean lstm"),
        (["train", "data=imbd"], "did you mean imdb"),
        (["train", "modle=lstm"], "did you mean model"),
        (["train", "trainer.epochs=3"], "did you mean trainer.max_epochs=3?"),
        (["train", "model=rnn,gru"], "use compare"),
        (["train", "seed=-1"], "expected a whole number of at least 0"),
        (["train", "name=../up"], "expected 1 to 100"),
        (["train", "name=.hidden"], "expected 1 to 100"),
        (["compare", "seeds=0"], "seeds is 0"),
        (["compare", "seeds=atuo"], "seeds=atuo"),
        (["compare", "rope=-1"], "rope=-1: expected a number of at least 0"),
        (["report", "runs/a", "rope=wide"], "rope is 'wide', expected a number"),
        (["compare", "jobs=0"], "expected a whole number from 1 to 4096, 0 came"),
        (["compare", "jobs=null"], "expected a whole number"),
        (["compare", "seeds=1,5"], "seeds=[1,5]"),
        (["compare", "seed=1,2"], "seeds=[1,5]"),
        (["compare", "seed=5"], "seed=… is for train"),
        (["compare", "logger=none,wandb"], "does not change the model"),
        (["train", "model.num_layers=two"], "model.num_layers"),
        (["train", "data.max_length=abc"], "data.max_length"),
        (["train", "data.batch_size=null"], "expected a whole number"),
        (["train", "trainer.max_epochs=[3]"], "expected a whole number"),
        (["train", "trainer.precision=64-true"], "trainer.precision=64-true is unknown: did you mean 32-true?"),
        (
            ["train", "callbacks.probe_rows=0"],
            "expected a whole number from 1 to 100000, 0 came",
        ),
        (["train", "callbacks.gates=maybe"], "expected true or false"),
        (["train", "callbacks.finite_guard.policy=stpo"], "did you mean stop"),
        (["train", "resume=perhaps"], "choose from: auto, must, never"),
        (["compare", "callbacks.gates=true,false"], "does not change the model"),
        (["status"], "takes one directory"),
        (["status", "nowhere"], "is not there"),
        (["train", "logger.mode=ofline"], "did you mean offline"),
        (["train", "runs=/proc/nowhere"], "runs=DIR"),
        (["report"], "takes a directory"),
        (["report", "runs/a", "stochastic_order=yes"], "expected true or false"),
        (["report", "runs/a", "runs/b"], "output=DIR"),
        (["report", "runs/a", "ouput=runs/b"], "did you mean output"),
        (["report", "nowhere"], "nowhere"),
        (["predict", "text=hello"], "predict needs checkpoint"),
        (["predict", "checkpoint=nowhere.ckpt", "text=hello"], "is not there"),
        (["predict", "checkpoint=x", "txet=hello"], "did you mean text"),
        (["completion", "fish"], "choose from: bash, zsh"),
        (["completion"], "choose from: bash, zsh"),
        (["completion", "zsh", "bash"], "completion takes one shell, zsh bash came: lightning-seq completion zsh"),
        (["train", "logger.project="], "logger.project is '', expected the name of a W&B project"),
        (["train", "logger=wandb_online", "logger.project=null"], "logger.project=null: expected a word, null came"),
        (["train", "logger.entity="], "logger.entity is '', expected a W&B user or team"),
        (["word2vec", "word2vec.vector_sise=3"], "did you mean vector_size"),
        (["word2vec", "word2vec.architecture=cbwo"], "did you mean cbow"),
        (["word2vec", "output=."], "output=. is a directory"),
        (
            ["train", "logger=none", "optimizer._target_=torch.optim.lr_scheduler.LambdaLR"],
            "optimizer.* is not accepted",
        ),
        (["train", "logger=none", "optimizer._target_=torch.optim.Optimizer"], "optimizer.* is not accepted"),
        (["train", "logger=none", "optimizer._target_=torch.optim.SparseAdam"], "SparseAdam is for sparse gradients"),
        (["train", "logger=none", "optimizer._target_=torch.optim.LBFGS"], "LBFGS computes each batch several times"),
        (["train", "task.ranking={_target_:os.system}"], "no key '_target_' in task.ranking; choose from"),
        (["train", "callbacks.finite_guard={timse:3}"], "did you mean times"),
        *(
            (
                ["train", "logger=none", "embedding=random", f"data._target_=lightning_seq.data.{kind}Data"],
                "give data=NAME",
            )
            for kind in (
                "classification.Classification",
                "tagging.Tagging",
                "language_modelling.LanguageModelling",
                "sequence_to_sequence.SequenceToSequence",
                "sequences_of_sets.SequencesOfSets",
            )
        ),
        (["train", "runs="], "runs= is empty"),
        (["train", "trainer.threads=0"], "expected a whole number from 1 to 4096 or null, 0 came"),
        (["train", "trainer.threads=many"], "expected a whole number from 1 to 4096 or null, many came"),
        (["train", "trainer.accumulate_grad_batches=0"], "at least 1"),
        (["train", "trainer.gradient_clip_val=-1"], "at least 0"),
        (["train", "trainer.max_epochs=-5"], "expected a whole number from -1 to"),
        (["train", "trainer.max_steps=-7"], "expected a whole number from -1 to"),
        (["train", "callbacks.early_stopping.patience=-1"], "at least 0"),
        (["train", "callbacks.early_stopping.min_delta=-0.1"], "at least 0"),
        (["train", "callbacks.early_stopping=yes"], "expected a mapping"),
        (["train", "choices.model=gru"], "there is no key 'choices.model'; did you mean model=gru?"),
        (["compare", "optimizer.lr=0.1,0.2", "optimizer.lr=0.3"], "is given twice: give all its values once"),
        (["compare", "seeds=1000000000"], "seeds is 1000000000: expected at most 10,000"),
        (["compare", "seeds=[true]"], "a list of them, [true] came"),
        (
            ["compare", *(f"optimizer.{key}={','.join(map(str, range(1, 200)))}" for key in ("lr", "weight_decay"))],
            "the comma lists make 39,601 entries, expected at most 1,000",
        ),
        (["compare", "tune.space={optimizer.lr:[0.1,0.2]}"], "nothing is tuned: give tune=N trials"),
        (["train", "data.num_workers=100"], "101 processes on a machine with"),
        (["train", "data.num_workers=5000"], "from 0 to 1024, 5000 came"),
        (["compare", "jobs=1000"], "1,000 processes on a machine with"),
        (["train", "trainer.threads=4000"], "4,000 threads on a machine with"),
        (["train", "trainer=ddp", "trainer.accelerator=cpu", "trainer.devices=2000"], "2,000 processes on a machine"),
        (["train", "model.num_layers=1000000"], "from 1 to 1000"),
        (["predict", "checkpoint=x", "text=a", "n_best=99999999"], "at most 1,000"),
        (["predict", "checkpoint=x", "text=a", "text=b"], "text was given twice"),
        (["train", "callbacks.finite_guard=no"], "expected a mapping"),
        (["train", "task.schedule=constant"], "expected a mapping"),
        (["train", "data.replace=5"], "expected a mapping"),
        (["train", "task.head_sizes=5"], "expected a list"),
        (["train", "allow=os"], "expected a list"),
        (["train", "cell.bias=maybe"], "expected true or false"),
        (["compare", "tune.space=5", "tune=2"], "expected a mapping"),
        (["compare", "entries=5"], "expected a list of {label: …, overrides: …} or null, 5 came"),
        (["status", __file__], "is a file"),
        (["sample", f"checkpoint={__file__}"], "can be read safely"),
    ],
)
def test_a_mistake_in_the_command(words: list[str], message: str, refused: Refused) -> None:
    assert message in refused(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["optimizer.lr=inf"], "optimizer.lr=inf: expected a number from 0 to 3e+38, inf came"),
        (["data.validation_fraction=nan"], "expected a number from 0 to 1, nan came"),
        (["init.scale=inf"], "expected a number from 0 to 1000000, inf came"),
        (["init.forget_bias={a:1}"], "expected a number or null"),
        (["model.engine=null"], "expected auto or fused or aten or native or loop, null came"),
        (["data.replace=[[a,b]]"], "expected a mapping of texts, such as data.replace="),
        (["model.activation=null"], "expected tanh or relu or logistic or identity or a list of them, null came"),
        (["trainer.precision=null"], "expected 32-true or 32 or 16-mixed or bf16-mixed, null came"),
        (["optimizer.lr=0.1", "optimizer.lr=inf"], "optimizer.lr=inf: expected a number from 0"),
        (["task.pooling=null"], "expected auto or last or mean or max or attention, null came"),
        (["task.monitor=null"], "task.monitor=null: expected a word, null came"),
        (["task.schedule.kind=-1"], "expected constant or linear or plateau or decay, -1 came"),
        (["data.source=nan"], "each set of data has its own source"),
        ([f"optimizer.lr={'9' * 5000}"], "at most 308 digits"),
        (["trainer.threads=100000"], "expected a whole number from 1 to 4096 or null, 100000 came"),
        (["cell._target_=lightning_seq.cells.cell.Cell", "model=recurrent"], "is abstract"),
        (["data.train=~nosuchuser/x"], "there is no such user"),
        ([f"data.train={'n' * 5000}"], "not a path of this system"),
        (["model=recurrent", "model.merge=conct", "model.bidirectional=true"], "did you mean concat"),
        (
            ["model.hidden_size=0"],
            "expected a whole number of at least 1 or a list of them, 0 came",
        ),
        (["model=bag_of_embeddings", "task.pooling=last"], "no final state"),
        (["task.dropout=1.0"], "less than 1"),
        (["task.schedule.kind=cosine"], "choose from"),
        (["task.class_weights=[0,0]"], "expected a weight above 0"),
        (["task.class_weights=[1,2,3]"], "expected null, balanced, or 2 numbers"),
        (["data.batch_size=0"], "data.batch_size=0: expected a whole number of at least 1, 0 came"),
        (["embedding=file"], "embedding.path=FILE"),
        (["data.label_column=lable"], "lable"),
        (["data.text_column=body"], "body"),
        (["data.train=missing.csv"], "missing.csv"),
        (["model.engine=nativ"], "did you mean native"),
        (["cell._target_=os.system", "model=recurrent"], "not admitted"),
        (["trainer.accelerator=tpuu"], "trainer.accelerator=tpuu"),
        (["optimizer.lr=-1"], "-1"),
        (["task.monitor=val/acc"], "did you mean val/accuracy"),
        (["trainer.log_every_n_steps=0"], "at least 1"),
        (["trainer.num_nodes=2"], "trainer.num_nodes is 2"),
        (["trainer.devices=0"], "trainer.devices is 0"),
        (["trainer.devices=-3"], "expected a whole number from -1 to 4096"),
        (["trainer.devices=-1"], "trainer.devices is -1"),  # all GPUs, and this is the CPU
        (["trainer.devices=abc"], "trainer.devices is abc"),
        (["trainer.devices=auto"], "trainer.devices is auto"),
        (["trainer.devices=[0,0]"], "different GPUs"),
        (["model.hidden_size=100000000"], "does not fit into the memory"),
        (["model=encoder_decoder"], "writes a sequence, and data=csv has no target sequences"),
        (
            ["model.dropout=1.5", "model.num_layers=2"],
            "expected a number from 0 to 1 or a list of them, 1.5 came",
        ),
        (["model.activation=rleu", "model.num_layers=2"], "did you mean relu"),
        (
            ["task.head_sizes=[8,0]"],
            "expected a list of whole numbers of at least 1, [8, 0] came",
        ),
        (["data.text_column=label"], "cannot be its own label"),
    ],
)
def test_a_mistake_in_a_value(words: list[str], message: str, own: list[str], refused: Refused) -> None:
    tiny = [w for w in TINY if not any(w.split("=")[0] == given.split("=")[0] for given in words)]
    tiny = [w for w in tiny if not (words[0].endswith("bag_of_embeddings") and "hidden" in w)]
    tiny = [w for w in tiny if not (words[0] == "embedding=file" and w.startswith("embedding"))]
    assert message in refused("train", *own, *tiny, *words)
    assert not list(runs_of(own).rglob("checkpoints"))


CONTENTS = {
    "empty": (b"", "is empty"),
    "header alone": (b"text,label\n", "no example"),
    "not utf-8": (b"text,label\ncaf\xe9 au lait,a\n", "UTF-8"),
    "no label": (b"text,label\nhello there,\n", "line 2"),
    "no text": (b"text,label\n  ,a\n", "line 2"),
    "one class": (b"text,label\n" + b"hello there,a\n" * 40, "one class"),
    "one column": (b"text\nhello\n", "label"),
    "a column twice": (b"text,label,text\nhello,a,there\n", "2 columns called 'text'"),
    "utf-16": ("text,label\nhello,a\n".encode("utf-16"), "line 1: utf-16 by its byte order mark, expected utf-8"),
    "a quote that is open": (b'text,label\nhello,a\n"there,b\n', "check the quotes"),
    "a value too many": (b"text,label\nhello,a,b\n", "3 values where the header has 2"),
}


@pytest.mark.parametrize("kind", CONTENTS)
def test_a_wrong_file(kind: str, own: list[str], tmp_path: Path, refused: Refused) -> None:
    content, message = CONTENTS[kind]
    (tmp_path / "train.csv").write_bytes(content)
    assert message in refused("train", "model=rnn", *own, *TINY)
    assert not runs_of(own).exists()
    assert not list((tmp_path / "cache").rglob("*.part"))


def test_a_label_that_train_does_not_have(own: list[str], tmp_path: Path, refused: Refused) -> None:
    other = write_csv(tmp_path / "test.csv", [("a wave", "sea"), ("a cloud", "air"), ("a hill", "land")])
    assert "air" in refused("train", "model=rnn", *own, *TINY, f"data.test={other}")


def test_vectors_of_the_wrong_width(own: list[str], tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "v.vec").write_text("2 3\nwave 1 0 0\nhill 0 1 0\n")
    given = ["embedding=file", f"embedding.path={tmp_path / 'v.vec'}", "embedding.size=5"]
    said = refused("train", "model=rnn", *own, *[w for w in TINY if not w.startswith("embedding")], *given)
    assert "width 3" in said
    assert "embedding.size=3" in said


def test_a_set_of_the_hub_without_a_network(tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LIGHTNING_SEQ_MIRROR", raising=False)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    said = refused("train", "data=trec", f"cache={tmp_path / 'cache'}", f"runs={tmp_path / 'runs'}", *TINY)
    assert "LIGHTNING_SEQ_MIRROR" in said
    assert "verses_genre" in said


def test_a_mirror_without_the_set(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "mirror").mkdir()
    words = ["data=trec", f"data.mirror={tmp_path / 'mirror'}", f"cache={tmp_path / 'cache'}", *TINY]
    assert "CogComp/trec" in refused("train", *words)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_written(own: list[str], tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "cannot be written" in refused("train", "model=rnn", *own, *TINY, f"runs={tmp_path / 'locked'}")


def test_a_file_where_a_directory_should_be(own: list[str], tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "taken").write_text("")
    assert "cannot be written" in refused("train", "model=rnn", *own, *TINY, f"runs={tmp_path / 'taken'}")
    assert "cannot be written" in refused("train", "model=rnn", *own[:3], *TINY, f"cache={tmp_path / 'taken'}")


@pytest.mark.parametrize("where", ["files.os.fsync", "training.directory.write_config"])
def test_a_disk_that_is_full(where: str, own: list[str], refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(f"lightning_seq.{where}", full)
    assert "No space left" in refused("train", "model=rnn", *own, *TINY)
    assert not list(Path(own[3].removeprefix("cache=")).rglob("*.part"))


def test_predict_refuses_what_it_cannot_read(
    own: list[str], tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    checkpoint = runs_of(own) / "csv/rnn-seed1/checkpoints/best.ckpt"
    capsys.readouterr()
    assert "empty" in refused("predict", f"checkpoint={checkpoint}", "text=  ")
    assert "top_k" in refused("predict", f"checkpoint={checkpoint}", "text=wave", "top_k=0")
    assert "not there" in refused("predict", f"checkpoint={checkpoint}", "file=nowhere.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    assert "UTF-8" in refused("predict", f"checkpoint={checkpoint}", f"file={tmp_path / 'latin.txt'}")


def test_a_mistake_shows_its_traceback_on_request(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="did you mean lstm"):
        main(["train", "model=lsmt", "--debug"])


def test_an_own_file_is_left_as_it_was(own: list[str], tmp_path: Path) -> None:
    before = (tmp_path / "train.csv").read_bytes()
    assert main(["train", "model=rnn", *own, *TINY]) == 0
    assert (tmp_path / "train.csv").read_bytes() == before
    assert len(sentences(10)) == 10


@pytest.mark.parametrize("word", ["seeds=3", "max_seeds=9", "rope=0.1", "dry_run=true", "jobs=2"])
def test_train_takes_no_key_of_compare(own: list[str], refused: Callable[..., str], word: str) -> None:
    assert "use compare" in refused("train", "model=rnn", *own, *TINY, word)
    assert not Path(own[2].removeprefix("runs=")).exists()
