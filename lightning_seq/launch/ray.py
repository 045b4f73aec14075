"""Runs as tasks of Ray, on a cluster or on this machine.

A task starts the run from its configuration as a launcher on this machine would, so it needs this package and the
directories of runs and caches on a file system that all nodes share. A run on several devices is one task that holds
them all; over several nodes it is a run of Ray Train, with one worker for each device.
"""

from __future__ import annotations

import importlib
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, first_line, install
from lightning_seq.launch.job import Job, at_work, finalize_record, run_as_rank
from lightning_seq.launch.local import carry_out
from lightning_seq.training.devices import ELASTIC, PLACED
from lightning_seq.training.planned import Planned
from lightning_seq.training.run import execute

PATIENCE = 300.0
"""Seconds between the starts of the first and the last worker of a run."""
NAMES = {"RAY_TRAIN_V2_ENABLED": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""A task without a GPU keeps the environment it was given: what is visible to it is in its configuration."""


def ray() -> ModuleType:
    """The package. Raises UserError where it is not installed."""
    for name, value in NAMES.items():
        os.environ.setdefault(name, value)
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UserError(f"launcher=ray needs ray, which is not installed: {install('ray')}") from None


def processes_of(config: Config) -> int:
    """On one node. Raises UserError where the configuration leaves it open."""
    devices = config["trainer"]["devices"]
    count = len(devices) if isinstance(devices, list) else int(devices) if str(devices).isdecimal() else 0
    if count < 1:
        raise UserError(f"trainer.devices is {devices}, and Ray must be told how many: give a number")
    return count


def resources(config: Config) -> dict[str, float]:
    """What one process of a run takes: `num_cpus` and `num_gpus`."""
    launcher, trainer = config["launcher"], config["trainer"]
    cpus = launcher["cpus"] or trainer["threads"] or 1
    gpus = launcher["gpus"]
    if gpus is None:
        gpus = 1 if trainer["accelerator"] in ("gpu", "cuda") else 0
    return {"num_cpus": cpus, "num_gpus": gpus}


def _task(run: Planned, directory: str) -> int:
    os.chdir(directory)
    return carry_out(run)


def _train(run: Planned, directory: str) -> int:
    """A run over several nodes, from beginning to end."""
    from ray.train import RunConfig, ScalingConfig  # type: ignore[import-not-found]
    from ray.train.torch import TorchConfig, TorchTrainer  # type: ignore[import-not-found]

    os.chdir(directory)
    config = run.config
    if run.is_done():
        return 0
    one = resources(config)
    on_gpus = one["num_gpus"] > 0
    workers = processes_of(config) * config["trainer"]["num_nodes"]
    TorchTrainer(
        _worker,
        train_loop_config={"run": run, "directory": directory},
        torch_config=TorchConfig(backend="nccl" if on_gpus else "gloo", timeout_s=int(config["trainer"]["timeout"])),
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=on_gpus,
            resources_per_worker={"CPU": one["num_cpus"]} | ({"GPU": one["num_gpus"]} if on_gpus else {}),
        ),
        run_config=RunConfig(name=run.title, storage_path=os.path.abspath(run.directory.parent / ".ray")),
    ).fit()
    return 0


def _worker(given: dict[str, Any]) -> None:
    """A rank, with the names that torchrun would have given the one process of a node."""
    from ray.train import get_context

    run, place = given["run"], get_context()
    os.chdir(given["directory"])
    names = {
        "RANK": place.get_world_rank(), "WORLD_SIZE": place.get_world_size(), "GROUP_RANK": place.get_world_rank(),
        "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1, PLACED: place.get_local_rank(), ELASTIC: "ray",
    }  # fmt: skip
    os.environ.update({name: str(value) for name, value in names.items()})
    run_as_rank(run, lambda: execute(run.directory, run.entry.label, run.entry.overrides), PATIENCE)


class RayJob:
    def __init__(self, run: Planned, reference: Any) -> None:
        self.run, self._reference, self.started = run, reference, time.monotonic()
        self._told = False

    def finished(self) -> bool:
        return bool(ray().wait([self._reference], timeout=0)[0])

    def send_signal(self, number: int) -> None:
        """The task ends its run as a signal would; a second time, the task is ended itself."""
        if not self._told or number == signal.SIGKILL:
            with suppress(Exception):
                ray().cancel(self._reference, force=self._told)
            self._told = True

    def finalize(self) -> None:
        if at_work(self.run.directory):
            return
        code = None
        with suppress(Exception):
            code = ray().get(self._reference, timeout=1)
        finalize_record(self.run, code)


class RayLauncher:
    """Raises UserError where Ray is not installed, and where the cluster that is named does not answer."""

    queues = False

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._ray = ray()
        address = runs[0].config["launcher"]["address"] or os.environ.get("RAY_ADDRESS")
        self._began = not self._ray.is_initialized()
        if self._began:
            handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
            try:
                self._ray.init(
                    address=address or "local", log_to_driver=False, include_dashboard=None if address else False,
                    logging_level="error",
                )  # fmt: skip
            except Exception as error:  # of a cluster that does not answer, whatever Ray and gRPC raise
                raise UserError(
                    f"launcher=ray: {first_line(error)}; give launcher.address=HOST:PORT of a cluster, or null for one "
                    "of its own"
                ) from error
            finally:
                for number, handler in handlers.items():  # Ray takes SIGTERM for itself
                    signal.signal(number, handler)

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        return [RayJob(run, self._submit(run)) for run in runs]

    def _submit(self, run: Planned) -> Any:
        here, one, nodes = os.getcwd(), resources(run.config), run.config["trainer"]["num_nodes"]
        count = processes_of(run.config)
        names = {"env_vars": {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ} | NAMES}
        if nodes > 1:
            asked: dict[str, Any] = {"num_cpus": 0}
        else:
            asked = {"num_cpus": one["num_cpus"] * count, "num_gpus": one["num_gpus"] * count}
        task = self._ray.remote(_train if nodes > 1 else _task)
        return task.options(max_retries=0, name=run.title, runtime_env=names, **asked).remote(run, here)

    def close(self) -> None:
        if self._began:
            self._ray.shutdown()
