"""Checks before any data are read: classes, packages, devices and files. `compose` has checked the single values."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from lightning_seq.builders.build import build_optimizer, build_schedule
from lightning_seq.comparison.directories import check_writable
from lightning_seq.config.logger import check_logger
from lightning_seq.config.targets import factory
from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, install
from lightning_seq.files import existing_file, place
from lightning_seq.launch.ray import ray
from lightning_seq.launch.submitit import submitit
from lightning_seq.tasks.teacher_forcing import TeacherForcing
from lightning_seq.training.trainer import check_trainer


def check_settings(config: Config) -> None:
    """Raises UserError for every setting that is wrong for any data."""
    check_logger(config)
    if config["logger"]["kind"] == "tensorboard" and find_spec("tensorboard") is None:
        raise UserError(f"logger=tensorboard needs a package: {install('tensorboard')}")
    if config["launcher"]["kind"] == "submitit":
        submitit()
    if config["launcher"]["kind"] == "ray":
        ray()
    check_trainer(config)
    for group in ("data", "task", "model", "cell", "attention", "init"):
        factory(
            {key: value for key, value in config[group].items() if key in ("_target_", "path")}, group, config["allow"]
        )
    if config["embedding"]["kind"] == "file":
        check_vectors(config)
    build_optimizer(config)
    build_schedule(config)
    if "teacher_forcing" in config["task"]:
        TeacherForcing(**config["task"]["teacher_forcing"])
    check_writable(Path(config["cache"]), "cache=DIR")


def check_vectors(config: Config) -> None:
    """Raises UserError unless the files of word vectors are given and exist."""
    if not config["embedding"].get("path"):
        raise UserError("embedding=file needs a file: give embedding.path=FILE (word2vec, GloVe or fastText .vec)")
    for key in ("path", "target_path"):
        path = config["embedding"].get(key)
        if path and not place(path, f"embedding.{key}").is_dir():  # a directory holds vectors that this package saved
            existing_file(path, f"embedding.{key}")
