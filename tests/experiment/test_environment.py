"""What a run says of the process it had."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from lightning_seq.experiment.environment import peak_memory_bytes

ASKED = "from lightning_seq.experiment.environment import peak_memory_bytes; print(peak_memory_bytes())"


def test_peak_memory_grows_with_what_was_used() -> None:
    before = peak_memory_bytes()
    size = before + before // 4
    assert np.ones(size, dtype=np.uint8).any()
    assert size < peak_memory_bytes() < 4 * before


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process inherits the peak of the one that started it")
def test_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    alone = int(subprocess.check_output([sys.executable, "-c", ASKED]))
    large = f"import numpy, subprocess, sys; numpy.ones({2 * alone}, dtype=numpy.uint8)\n"
    started = f"print(subprocess.check_output([sys.executable, '-c', {ASKED!r}], text=True))"
    found = int(subprocess.check_output([sys.executable, "-c", large + started]))
    assert found == pytest.approx(alone, rel=0.3)
