"""What importing costs, and what is handed out."""

from __future__ import annotations

import subprocess
import sys

import pytest

import lightning_seq


def test_every_public_name_is_there() -> None:
    for name in lightning_seq.__all__:
        assert getattr(lightning_seq, name).__name__.lower().endswith(name.lower())
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = lightning_seq.nothing_of_the_kind


def test_the_package_and_its_help_cost_no_torch() -> None:
    code = (
        "import sys, lightning_seq\n"
        "from lightning_seq.cli import VERBS\n"
        "from lightning_seq.help import help_of\n"
        "assert all(help_of(verb, VERBS) for verb in [None, *VERBS])\n"
        "heavy = {'torch', 'lightning', 'gensim', 'datasets', 'wandb', 'hydra', 'pandas'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
