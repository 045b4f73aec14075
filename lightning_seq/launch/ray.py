"""Runs as tasks of Ray, on a cluster or on this machine.

A task starts the run from its configuration as the local launcher does. It needs this package, and the directories of
runs and caches on a file system that all nodes share. A run on several devices is one task that holds all of them; a
run over several nodes is a run of Ray Train, with one worker for each device.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import chdir, suppress
from types import ModuleType
from typing import TypedDict

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, first_line
from lightning_seq.launch.job import ClusterJob, Job, at_work, finalize_record, package, run_as_rank
from lightning_seq.launch.local import carry_out
from lightning_seq.training.devices import ELASTIC, PLACED, processes_on_node
from lightning_seq.training.planned import Planned

NAMES = {"RAY_TRAIN_V2_ENABLED": "1", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0"}
"""A task without a GPU keeps its environment: the configuration says which GPUs are visible."""


class WorkerArguments(TypedDict):
    run: Planned
    directory: str


def ray() -> ModuleType:
    """The package. Raises UserError if it is not installed."""
    for name, value in NAMES.items():
        os.environ.setdefault(name, value)
    return package("ray", extra="ray")


def processes_of(config: Config) -> int:
    """The number of processes on one node. Raises UserError if the configuration leaves it open."""
    count = processes_on_node(config)
    if not count:
        raise UserError(f"trainer.devices is {config['trainer']['devices']}, and Ray needs a number: give a number")
    return count


def resources(config: Config) -> dict[str, float]:
    """The resources of one process of a run: `num_cpus` and `num_gpus`."""
    launcher, trainer = config["launcher"], config["trainer"]
    gpus = launcher["gpus"]
    if gpus is None:
        gpus = 1 if trainer["accelerator"] in ("gpu", "cuda") else 0
    return {"num_cpus": launcher["cpus"] or trainer["threads"] or 1, "num_gpus": gpus}


def _task(run: Planned, directory: str) -> int:
    os.chdir(directory)
    return carry_out(run)


def _train(run: Planned, directory: str) -> int:
    """A run over several nodes, from beginning to end."""
    from ray.train import RunConfig, ScalingConfig  # type: ignore[import-not-found]
    from ray.train.torch import TorchConfig, TorchTrainer  # type: ignore[import-not-found]

    os.chdir(directory)
    if run.is_done():
        return 0
    one, trainer = resources(run.config), run.config["trainer"]
    on_gpus = one["num_gpus"] > 0
    TorchTrainer(
        _worker,
        train_loop_config=WorkerArguments(run=run, directory=directory),
        torch_config=TorchConfig(backend="nccl" if on_gpus else "gloo", timeout_s=int(trainer["timeout"])),
        scaling_config=ScalingConfig(
            num_workers=processes_of(run.config) * trainer["num_nodes"],
            use_gpu=on_gpus,
            resources_per_worker={"CPU": one["num_cpus"]} | ({"GPU": one["num_gpus"]} if on_gpus else {}),
        ),
        run_config=RunConfig(name=run.title, storage_path=os.path.abspath(run.directory.parent / ".ray")),
    ).fit()
    return 0


def _worker(arguments: WorkerArguments) -> None:
    """A rank, with the variables that torchrun sets for the one process of a node."""
    from ray.train import get_context

    context = get_context()
    os.chdir(arguments["directory"])
    names = {
        "RANK": context.get_world_rank(), "WORLD_SIZE": context.get_world_size(),
        "GROUP_RANK": context.get_world_rank(), "LOCAL_RANK": 0, "LOCAL_WORLD_SIZE": 1,
        PLACED: context.get_local_rank(), ELASTIC: "ray",
    }  # fmt: skip
    os.environ.update({name: str(value) for name, value in names.items()})
    run_as_rank(arguments["run"])


class RayJob(ClusterJob[object]):
    def finished(self) -> bool:
        return bool(ray().wait([self.handle], timeout=0)[0])

    def cancel(self, again: bool) -> None:
        """The task ends its run as a signal would; the second time, Ray ends the task itself."""
        ray().cancel(self.handle, force=again)

    def finalize(self) -> None:
        if at_work(self.run.directory):
            return
        code = None
        with suppress(Exception):
            code = ray().get(self.handle, timeout=1)
        finalize_record(self.run, code)


class RayLauncher:
    """Raises UserError if Ray is not installed or the cluster does not answer."""

    queues = False

    def __init__(self, runs: Sequence[Planned]) -> None:
        self._ray = ray()
        address = runs[0].config["launcher"]["address"] or os.environ.get("RAY_ADDRESS")
        self._began = not self._ray.is_initialized()
        if not self._began:
            return
        handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            with chdir("/"):  # the workers of Ray import modules from the working directory of this moment
                self._ray.init(
                    address=address or "local", log_to_driver=False, include_dashboard=None if address else False,
                    logging_level="error",
                )  # fmt: skip
        except Exception as error:  # Ray and gRPC may raise anything
            raise UserError(
                f"launcher=ray: {first_line(error)}; give launcher.address=HOST:PORT of a cluster, or null to start "
                "one on this machine"
            ) from error
        finally:
            for number, handler in handlers.items():  # Ray replaces the handler of SIGTERM
                signal.signal(number, handler)

    def start(self, runs: Sequence[Planned], jobs: int) -> list[Job]:
        return [RayJob(run, self._submit(run)) for run in runs]

    def _submit(self, run: Planned) -> object:
        several_nodes = run.config["trainer"]["num_nodes"] > 1
        one, count = resources(run.config), processes_of(run.config)
        options = {"num_cpus": 0} if several_nodes else {name: value * count for name, value in one.items()}
        names = {"env_vars": {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ} | NAMES}
        task = self._ray.remote(_train if several_nodes else _task)
        return task.options(max_retries=0, name=run.title, runtime_env=names, **options).remote(run, os.getcwd())

    def close(self) -> None:
        if self._began:
            self._ray.shutdown()
