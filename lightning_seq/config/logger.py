"""The settings of W&B that no annotation can check."""

from __future__ import annotations

from lightning_seq.config.tree import Config
from lightning_seq.errors import UserError


def check_logger(config: Config) -> None:
    """Raises UserError for a W&B project or entity without a name, and for a tag that is empty or too long."""
    settings = config["logger"]
    if settings["kind"] != "wandb":
        return
    if not str(settings["project"]).strip():
        raise UserError(
            f"logger.project is {settings['project']!r}, expected the name of a W&B project: "
            "leave it out for lightning_seq, or give logger=none to log without W&B"
        )
    entity = settings["entity"]
    if entity is not None and not str(entity).strip():
        raise UserError(f"logger.entity is {entity!r}, expected a W&B user or team: leave it out for your own")
    wrong = [tag for tag in settings["tags"] if not 1 <= len(str(tag)) <= 64]
    if wrong:
        raise UserError(
            f"logger.tags holds {wrong[0]!r}, expected words of 1 to 64 characters: logger.tags=[draft,small]"
        )
