"""A command imports only the heavy packages that it uses, and composes a configuration once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from lightning_seq.comparison.grid import entries
from lightning_seq.config.compose import compose
from tests.runs import TINY, environment, record_of

HEAVY = (
    "torch",
    "lightning",
    "torchmetrics",
    "pandas",
    "altair",
    "wandb",
    "gensim",
    "datasets",
    "sklearn",
    "scipy.optimize",
)


def loaded(words: list[str], place: Path) -> tuple[str, set[str]]:
    """The text that the command prints, and the heavy packages that it imports."""
    code = (
        "import sys\nfrom lightning_seq.cli import main\nassert main(sys.argv[1:]) == 0\n"
        f"print('LOADED', *[name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], env=environment(), cwd=place, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said, _, names = done.stdout.rpartition("LOADED")
    return said, set(names.split())


@pytest.mark.dashboard
def test_a_command_with_nothing_to_do_and_a_prediction_load_little(own: list[str], tmp_path: Path) -> None:
    words = ["train", "model=lstm", *own, *TINY]
    assert main(words) == 0
    directory = Path(own[2].removeprefix("runs=")) / "csv"
    drawn = (directory / "dashboard.html").stat().st_mtime_ns
    said, found = loaded(words, tmp_path)
    assert found == set()
    assert "is done already" in said
    assert f"{record_of(own, 'lstm-seed1').metrics['test/accuracy']:.3f}" in said
    assert (directory / "dashboard.html").stat().st_mtime_ns == drawn
    said, found = loaded(["predict", f"checkpoint={directory / 'lstm-seed1'}", "text=the wave"], tmp_path)
    assert found == {"torch"}
    assert '"label"' in said
    (directory / "table.md").unlink()
    assert main(words) == 0
    assert (directory / "table.md").is_file()


def test_a_configuration_is_composed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each caller gets a copy of its own, with the values of the environment at that moment."""
    from lightning_seq.config import compose as composing

    composing._composed.cache_clear()
    words = ["model=gru", "data=csv", "data.train=mine.csv", "optimizer.lr=0.5"]
    first = entries(words)[0].config
    assert composing._composed.cache_info().misses == 2
    first["trainer"]["max_epochs"] = 99
    again = entries(words)[0].config
    assert composing._composed.cache_info().misses == 2
    assert again["trainer"]["max_epochs"] == 10
    assert again["optimizer"]["lr"] == 0.5
    monkeypatch.setenv("LIGHTNING_SEQ_MIRROR", "/elsewhere")
    assert compose(["data=imdb"])["data"]["source"]["mirror"] == "/elsewhere"
    monkeypatch.setenv("LIGHTNING_SEQ_MIRROR", "/here")
    assert compose(["data=imdb"])["data"]["source"]["mirror"] == "/here"
