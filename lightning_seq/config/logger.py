"""What `logger.*` may be."""

from __future__ import annotations

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError, near

LOGGERS = ("none", "tensorboard", "wandb")

WANDB_MODES = ("disabled", "offline", "online")
"""Each does more than the one before."""


def check_logger(config: Config) -> None:
    """Raises UserError for a kind of logger, or a mode of W&B, that there is not, and for a project or entity without a
    name."""
    settings = config["logger"]
    if settings["kind"] not in LOGGERS:
        raise UserError(f"logger.kind is {settings['kind']!r}: {near(str(settings['kind']), LOGGERS)}")
    if settings["kind"] != "wandb":
        return
    if settings["mode"] not in WANDB_MODES:
        raise UserError(f"logger.mode is {settings['mode']!r}: {near(str(settings['mode']), WANDB_MODES)}")
    project = settings["project"]
    if project is None or not str(project).strip():
        raise UserError(
            f"logger.project is {'null' if project is None else repr(project)}, expected the name of a W&B project: "
            "leave it out for lightning_seq, or give logger=none to do without W&B"
        )
    entity, tags = settings["entity"], settings["tags"]
    if entity is not None and not str(entity).strip():
        raise UserError(f"logger.entity is {entity!r}, expected a W&B user or team: leave it out for your own")
    wrong = [tag for tag in tags if not isinstance(tag, str | int | float) or not 1 <= len(str(tag)) <= 64]
    if wrong:
        raise UserError(
            f"logger.tags holds {wrong[0]!r}, expected words of 1 to 64 characters: logger.tags=[draft,small]"
        )
