"""`table.tex` compiles in an article, and its table is not wider than the text."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.report.escape import latex
from lightning_seq.report.summary import summarise
from lightning_seq.report.tables import tex
from tests.report.made_sweep import made
from tests.report.page import ATTACKS

ENGINE = shutil.which("pdflatex")
PACKAGES = ("booktabs.sty", "tabularx.sty")

Make = Callable[..., Path]

LABELS = (
    "a&b_c%$#{}~^\\\\",
    "[x]--`'\"<|>",
    "recurrent,cell=layer_norm_lstm,hidden_size=256,num_layers=2",
    "naïve Łódź „ß“ −1 ≤ 中ą",
)


def packages_missing() -> bool:
    if ENGINE is None or shutil.which("kpsewhich") is None:
        return True
    return subprocess.run(["kpsewhich", *PACKAGES], capture_output=True).returncode != 0


def compiled(directory: Path, table: str) -> tuple[str, str]:
    """The log and the labels of an article with the table; it may not stop at an error."""
    (directory / "table.tex").write_text(table, encoding="utf-8")
    (directory / "article.tex").write_text(
        "\\documentclass{article}\n\\usepackage{booktabs,tabularx}\n\\begin{document}\n\\input{table}\n\\end{document}\n"
    )
    command = [str(ENGINE), "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "article.tex"]
    ended = subprocess.run(command, cwd=directory, capture_output=True, timeout=120)
    log = (directory / "article.log").read_text(encoding="utf-8", errors="replace")
    assert ended.returncode == 0, log[-3000:]
    return log, (directory / "article.aux").read_text(encoding="utf-8", errors="replace")


@pytest.mark.skipif(packages_missing(), reason="no pdflatex with booktabs and tabularx")
@pytest.mark.parametrize(
    "kind", ["usual", "attacks", "long", "baseline", "sweep", "translation", "language", "several"]
)
def test_the_table_compiles_and_fits_the_text(
    kind: str, make_comparison: Make, make_translation: Make, make_language: Make, make_tagging: Make, tmp_path: Path
) -> None:
    directory = tmp_path / "A demo_of 5%"
    if kind == "sweep":
        made(directory)
    elif kind == "translation":
        make_translation(directory)
    elif kind == "language":
        make_language(directory)
    elif kind == "several":
        make_comparison(make_tagging(directory), labels=("gru-genre", "birnn-genre"), seeds=2)
    elif kind == "baseline":
        given = {"baseline": {"test/accuracy": 0.217}, "baseline_name": "majority class"}
        make_comparison(directory, seeds=2, **given)
    else:
        make_comparison(directory, labels={"attacks": ATTACKS, "long": LABELS}.get(kind, ("rnn", "gru")), seeds=2)
    summary = summarise(directory)
    log, labels = compiled(tmp_path, tex(summary))
    assert "Overfull" not in log
    assert "multiply defined" not in log
    wanted = {"several": ["tab:a-demo-of-5-conll2000-tagging", "tab:a-demo-of-5-verses-genre-classification"]}
    assert sorted(re.findall(r"newlabel\{(tab:[^}]*)\}", labels)) == wanted.get(kind, ["tab:a-demo-of-5"])


def test_signs_that_pdflatex_cannot_print_are_code_points() -> None:
    assert latex("e\u0301 é ß Ł") == "é é ß Ł"
    assert latex("中 ą") == "{[}U+4E2D{]} {[}U+0105{]}"
    assert latex("« −1 » ≤ 2") == "`` $-$1 '' $\\le$ 2"


def test_a_hyphen_before_a_number_is_a_minus() -> None:
    assert latex("-0.4 to -1 (-2), gru-3, 2-4") == "$-$0.4 to $-$1 ($-$2), gru-3, 2-4"


def test_labels_of_tables_are_different(make_comparison: Make, tmp_path: Path) -> None:
    directory = tmp_path / "demo"
    for data, label in (("a b", "gru"), ("a-b", "lstm"), ("中", "rnn"), ("ą", "elman")):
        make_comparison(directory, labels=(label,), seeds=1, data=data, task="")
    labels = re.findall(r"\\label\{(.*?)\}", tex(summarise(directory)))
    assert sorted(labels) == ["tab:demo", "tab:demo-2", "tab:demo-a-b", "tab:demo-a-b-2"]
