"""README's example of predictions that go back to the user's file, done as it says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from lightning_seq.cli.main import main
from tests.runs import sentences

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
FAST = ("trainer.max_epochs=1", "trainer.progress=false", "logger=none", "embedding=random", "embedding.size=8")


def test_the_predictions_of_the_example_are_joined_to_the_reviews(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    section = README[README.index("**Predictions can be joined to your file.**") :]
    blocks = re.findall(r"```(\w*)\n(.*?)```", section, re.DOTALL)[:2]
    assert [language for language, _ in blocks] == ["", "python"]
    words = sentences(60)
    examples = [(body, 1 if label == words[0][1] else 5) for body, label in words]
    lines = [f"r{number},{stars},{body}\n" for number, (body, stars) in enumerate(examples)]
    (tmp_path / "reviews.csv").write_text("key,stars,body\n" + "".join(lines), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    command = shlex.split(blocks[0][1])
    assert command[0] == "lightning-seq"
    assert main([*command[1:], *FAST, f"cache={tmp_path / 'cache'}"]) == 0
    capsys.readouterr()
    names: dict[str, object] = {}
    exec(blocks[1][1], names)
    joined = names["joined"]
    assert len(joined) == 6  # type: ignore[arg-type]
    assert list(map(str, joined.stars)) == list(joined.target)  # type: ignore[attr-defined]
    assert list(joined.body) == list(joined.text)  # type: ignore[attr-defined]
    wrong = sum(str(one) != other for one, other in zip(joined.stars, joined.prediction, strict=True))  # type: ignore[attr-defined]
    shown = capsys.readouterr().out
    assert "Empty DataFrame" in shown if wrong == 0 else len(shown.splitlines()) == wrong + 1
