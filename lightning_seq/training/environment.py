"""The process of a run: threads, versions, memory."""

from __future__ import annotations

import logging
import platform
import resource
import sys
import warnings
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import torch

from lightning_seq.config.tree import Config
from lightning_seq.files import Plain
from lightning_seq.training.threads import cores, threads_per_job


def prepare_process(config: Config) -> None:
    """Set threads, matrix precision and warnings of a run, and reset the peak of memory."""
    _forget_peak()
    torch.set_num_threads(threads_per_job(config))
    torch.set_float32_matmul_precision("high")
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    warnings.filterwarnings("ignore", ".*Checkpoint directory .* exists and is not empty.*")
    warnings.filterwarnings("ignore", ".*lightning.*isinstance.*LeafSpec.*")
    warnings.filterwarnings("ignore", ".*LeafSpec.*")
    warnings.filterwarnings("ignore", ".*LSTM with projections is not supported with oneDNN.*")
    warnings.filterwarnings("ignore", ".*sync_dist=True.*")  # logged values are reduced over all ranks before
    warnings.filterwarnings("ignore", ".*smaller than the logging interval.*")  # an epoch's last loss is always logged
    warnings.filterwarnings("ignore", ".*Starting from v.* `tensorboardX`.*")
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)


def environment(config: Config) -> dict[str, Plain]:
    """The record's `environment`."""
    cuda = torch.cuda.is_available() and config["trainer"]["accelerator"] != "cpu"
    return {
        "python": platform.python_version(),
        "torch": version("torch"),
        "lightning": version("lightning"),
        "device": torch.cuda.get_device_name() if cuda else platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "cores": cores(),
        "system": platform.system(),
    }


def _forget_peak() -> None:
    """Reset the peak of memory: what this process did before the run does not count."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # Linux alone has it, and not every container
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_memory_bytes() -> int:
    """The accelerator's peak where one was used, else the process's (resident, host), since the run began."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():  # `getrusage` begins with what the process had that started this one
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
