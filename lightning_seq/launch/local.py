"""Runs on this machine, packed onto its cores or its GPUs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from lightning_seq.config.tree import Config
from lightning_seq.launch.fork_server import Child, Nursery
from lightning_seq.launch.job import Claim, ClaimedError, Job, end, settle
from lightning_seq.launch.ranks import end_with_parent
from lightning_seq.training.directory import LOG, lay_out
from lightning_seq.training.environment import several_processes
from lightning_seq.training.planned import Planned
from lightning_seq.training.run_record import now
from lightning_seq.training.threads import threads_per_job, wait_without_spinning

VISIBLE = "CUDA_VISIBLE_DEVICES"

MODULES = tuple(
    f"lightning_seq.{name}"
    for name in (
        "training.run",
        "builders.build",
        "training.trainer",
        "training.loggers.choice",
        "training.environment",
    )
)
"""What every run imports."""


def visible_devices(environment: Mapping[str, str]) -> list[str]:
    """The GPUs this process may use, by the names that `CUDA_VISIBLE_DEVICES` takes."""
    if VISIBLE in environment:
        return [name.strip() for name in environment[VISIBLE].split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def devices_of(config: Config) -> int | None:
    """How many GPUs a run takes; None where it takes none, all, or those it names."""
    trainer = config["trainer"]
    if trainer["accelerator"] not in ("gpu", "cuda", "auto") or not str(trainer["devices"]).isdecimal():
        return None
    return int(trainer["devices"])


class Deck:
    """Devices, dealt out so that all have equally many runs: several each when there are more runs than devices."""

    def __init__(self, names: Sequence[str]) -> None:
        self.held = dict.fromkeys(names, 0)

    def deal(self, count: int) -> tuple[str, ...]:
        """Those that have the fewest runs, in their order; fewer than `count` where there are no more."""
        dealt = tuple(sorted(self.held, key=self.held.__getitem__)[:count])
        for name in dealt:
            self.held[name] += 1
        return tuple(name for name in self.held if name in dealt)

    def take_back(self, names: Sequence[str]) -> None:
        for name in names:
            self.held[name] -= 1


def command(run: Planned) -> list[str]:
    """What starts a run's process, or the one that starts and ends its ranks."""
    if not several_processes(run.config):
        return [sys.executable, "-m", "lightning_seq.training.run", str(run.directory)]
    devices = run.config["trainer"]["devices"]
    count = len(devices) if isinstance(devices, list) else int(devices)
    if count < 1:
        count = len(visible_devices(os.environ))
    return [sys.executable, "-m", "lightning_seq.launch.ranks", str(run.directory), str(count)]


def environment_of(run: Planned, jobs: int, devices: Sequence[str] = ()) -> dict[str, str]:
    """What a run's process is told: threads, the devices that are its own, and what stands in its record."""
    threads, waiting = str(threads_per_job(run.config)), dict(os.environ)
    wait_without_spinning(waiting)
    given = {"label": run.entry.label, "overrides": run.entry.overrides, "jobs": jobs, "started": now()}
    return {
        **waiting,
        "LIGHTNING_SEQ_RUN": json.dumps(given),
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "PYTHONUNBUFFERED": "1",
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        **({VISIBLE: ",".join(devices)} if devices else {}),
    }


class LocalJob:
    """A run's process, its output in the run's `log.txt`; copied from a nursery where there is one.

    deck:  of the devices that it takes its own from.
    alone: whether a run of one process continues where the process that started it is killed; ranks never do, and
           what is copied from a nursery always does.

    Raises `launch.ClaimedError` when another process is at work on the run, UserError when it cannot be started.
    """

    def __init__(
        self, run: Planned, jobs: int, nursery: Nursery | None = None, deck: Deck | None = None, alone: bool = True
    ) -> None:
        self.run, self.started = run, time.monotonic()
        self.devices: tuple[str, ...] = ()
        self._deck = deck
        self._claim = Claim(run.directory)
        self.process: subprocess.Popen[bytes] | Child | None = None
        try:
            if run.is_done():  # by the process whose claim ended just now
                return
            lay_out(run.directory, run.config)
            count = devices_of(run.config)
            if deck is not None and count is not None:
                self.devices = deck.deal(count)
            self.process = self._start(environment_of(run, jobs, self.devices), nursery, alone)
        except BaseException:
            self._let_go()
            raise

    def _start(
        self, environment: dict[str, str], nursery: Nursery | None, alone: bool
    ) -> subprocess.Popen[bytes] | Child:
        directory = self.run.directory
        if nursery is not None:
            with suppress(OSError):  # it was killed: a process can still be started afresh
                return nursery.start([str(directory)], environment, directory / LOG)
        with (directory / LOG).open("ab") as log:
            return subprocess.Popen(
                command(self.run),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,
                # The process of ranks cannot end them once it is itself without the command that would wait for it.
                preexec_fn=end_with_parent() if not alone or several_processes(self.run.config) else None,
            )

    def _let_go(self) -> None:
        if self._deck is not None:
            self._deck.take_back(self.devices)
            self._deck = None
        self._claim.give_back()

    def finished(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def tell(self, number: int) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def settle(self) -> None:
        if self.process is not None:
            settle(self.run, self.process.returncode)
        self._let_go()


class LocalLauncher:
    queues = False

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._nursery = nursery_for(runs)
        shared = any(devices_of(run.config) is not None for run in runs)
        self._deck = Deck(visible_devices(os.environ)) if shared else None

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        return [LocalJob(run, jobs, self._nursery, self._deck) for run in runs]

    def close(self) -> None:
        if self._nursery is not None:
            self._nursery.close()


def nursery_for(runs: Sequence[Planned]) -> Nursery | None:
    """For several runs, each of one process on the CPU: a process that has used an accelerator must not be copied."""
    if len(runs) < 2 or not Nursery.possible():
        return None
    if any(several_processes(run.config) or run.config["trainer"]["accelerator"] != "cpu" for run in runs):
        return None
    modules = dict.fromkeys(MODULES)
    for run in runs:
        nodes = [*(run.config[part] for part in ("data", "task", "model")), run.config["data"].get("source")]
        targets = [str(node.get("_target_") or "") for node in nodes if isinstance(node, dict)]
        modules |= dict.fromkeys(path.rpartition(".")[0] for path in targets if path.startswith("lightning_seq."))
        if run.config["logger"]["kind"] == "wandb":
            modules["wandb"] = None
    return Nursery(list(modules))


def carry_out(run: Planned, began: Callable[[LocalJob], None] = lambda job: None) -> int:
    """Run it in a process of its own on this machine, where another launcher has sent it; return its exit code.

    began: hears of the process. It ends with this one, whatever ends this (Linux). A run that another process has done,
    or is at work on, is left to it.
    """
    if run.is_done():
        return 0
    try:
        job = LocalJob(run, 1, alone=False)
    except ClaimedError:
        return 0
    began(job)
    try:
        while not job.finished():
            time.sleep(0.2)
    finally:
        end([job])
    code = job.process.returncode if job.process is not None else 0
    return code if code is not None else 1
