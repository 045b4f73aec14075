"""`check` and `explain` of scorers, as a user meets them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.cli.docstrings import evaluate, parameters_of, read_docstring, sizes_of
from lightning_seq.cli.find_scorer import find_scorer, known_scorers, our_scorer
from lightning_seq.cli.main import main

Refused = Callable[..., str]
NAMES = ("additive", "bilinear", "concat", "cosine", "dot", "location", "multihead", "scaled_dot")
OWN = """
import torch
from torch import nn
from lightning_seq.attention.scorer import Scorer


class Distance(Scorer):
    def __init__(self, query_size, value_size):
        super().__init__(query_size, value_size)
        self.meet = nn.Linear(value_size, query_size)
        self.key_size = query_size

    def keys(self, values):
        return self.meet(values)

    def scores(self, query, keys):
        return -torch.cdist(query, keys)[:, None] ** 2


class OnlyOne(Distance):
    def scores(self, query, keys):
        return super().scores(query[:, :1].expand_as(query), keys)


class Square(Distance):
    def __init__(self, query_size, value_size):
        if query_size != value_size:
            raise ValueError("queries and values differ in width")
        super().__init__(query_size, value_size)
"""


def test_the_choices_are_those_that_were_promised() -> None:
    assert known_scorers() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_scorer_explains_itself_and_its_parameter_formula_is_its_count(name: str) -> None:
    for Q, D in ((8, 5), (4, 4)):
        scorer = our_scorer(name)(Q, D)
        explained = read_docstring(type(scorer))
        assert explained.equations
        assert {"Parameters", "Elsewhere"} <= set(explained.fields)
        count = sum(parameter.numel() for parameter in scorer.parameters())
        formula = parameters_of(type(scorer))
        if formula is None:
            extra = int(name == "cosine")
            assert "if Q = D, else Q*D" in explained.fields["Parameters"]
            assert count == (extra if Q == D else Q * D + extra)
        else:
            assert evaluate(formula, sizes_of(scorer)) == count


def test_explain_prints_the_equations_and_the_arithmetic(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "additive", "query_size=10", "value_size=20"]) == 0
    out = capsys.readouterr().out
    assert "e_ts = v · tanh(W q_t + k_s)" in out
    assert "Bahdanau et al. 2015" in out
    assert "A*Q + A*D + A = 10*10 + 10*20 + 10 = 310" in out
    assert main(["explain", "dot", "query_size=10", "value_size=20"]) == 0
    assert "none if Q = D, else Q*D: here 200" in capsys.readouterr().out
    assert main(["explain", "--list"]) == 0
    out = capsys.readouterr().out
    assert all(f"\n{name} " in out for name in NAMES)


def test_check_passes_ours_and_says_what_was_proven(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("additive", "multihead"):
        assert main(["check", name]) == 0
        out = capsys.readouterr().out
        assert "FAILED" not in out
        assert "oracle" in out
        assert out.strip().splitlines()[-1] == "32 of 32 checks passed"


def test_check_examines_a_scorer_of_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "their_scorers.py").write_text(OWN, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_scorer("their_scorers.Distance") is not None
    assert find_scorer("their_scorers.nn") is None
    assert main(["check", "their_scorers.Distance", "query_size=4", "value_size=3"]) == 0
    assert "widths 4, 3" in capsys.readouterr().out
    assert main(["check", "their_scorers.Square"]) == 0
    out = capsys.readouterr().out
    assert "widths 8, 8" in out
    assert "widths 8, 6" not in out
    assert main(["check", "their_scorers.OnlyOne"]) == 1
    out = capsys.readouterr().out
    assert "queries (widths 8, 6): " in out
    assert "padding (" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["check", "aditive"], "did you mean additive"),
        (["explain", "multi_head"], "did you mean multihead"),
        (["check", "additive", "hidden_size=3"], "expected query_size, value_size"),
        (["check", "multihead", "query_size=3"], "does not divide"),
        (["explain", "dot", "query=3"], "did you mean query_size"),
        (["explain", "multihead", "query_size=3"], "does not divide"),
    ],
)
def test_mistakes(words: list[str], message: str, refused: Refused) -> None:
    assert message in refused(*words)
