"""What a run says of the process it had."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from lightning_seq.config.compose import compose
from lightning_seq.training.environment import peak_memory_bytes, prepare_process

SIZE = 400_000_000
ASKED = "from lightning_seq.training.environment import peak_memory_bytes; print(peak_memory_bytes())"


@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="here a process cannot forget its peak")
def test_what_a_process_did_before_a_run_is_no_part_of_its_peak() -> None:
    config = compose(["trainer.threads=1"])
    prepare_process(config)
    before = peak_memory_bytes()
    assert np.ones(SIZE, dtype=np.uint8).any()
    assert before + SIZE // 2 < peak_memory_bytes() < before + 2 * SIZE
    prepare_process(config)
    assert peak_memory_bytes() < before + SIZE // 2


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process inherits the peak of the one that started it")
def test_peak_memory_is_not_that_of_the_process_that_started_it() -> None:
    alone = int(subprocess.check_output([sys.executable, "-c", ASKED]))
    large = f"import numpy, subprocess, sys; numpy.ones({2 * alone}, dtype=numpy.uint8)\n"
    started = f"print(subprocess.check_output([sys.executable, '-c', {ASKED!r}], text=True))"
    found = int(subprocess.check_output([sys.executable, "-c", large + started]))
    assert found == pytest.approx(alone, rel=0.3)
