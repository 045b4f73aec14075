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

IGNORED_WARNINGS = (
    "does not have many workers", "Checkpoint directory .* exists and is not empty", "LeafSpec",
    "LSTM with projections is not supported with oneDNN", r"Starting from v.* `tensorboardX`",
    "sync_dist=True",  # logged values are reduced over all ranks before
    r"module\(s\) in eval mode at the start of training",  # frozen encoders of pictures
    "smaller than the logging interval",  # the last loss of an epoch is always logged
)  # fmt: skip


def prepare_process(config: Config) -> None:
    """Set threads, matrix precision and warnings of a run, and reset the peak of memory."""
    if torch.cuda.is_initialized():
        torch.cuda.reset_peak_memory_stats()
    with suppress(OSError):  # only Linux has it, and not every container
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    torch.set_num_threads(threads_per_job(config))
    torch.set_float32_matmul_precision("high")
    for text in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", f".*{text}.*")
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)


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


def peak_memory_bytes() -> int:
    """The peak of the accelerator if the run used one, else of the process (resident memory), since the run began."""
    if torch.cuda.is_available() and torch.cuda.max_memory_allocated():
        return torch.cuda.max_memory_allocated()
    status = Path("/proc/self/status")
    if status.is_file():  # `getrusage` includes the peak of the parent process
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
