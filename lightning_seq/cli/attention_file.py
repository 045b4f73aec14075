"""The file of `attention_out=FILE` of the verbs that read a picture."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.files import new_file, place


def attention_file(attention_out: str | None, image: str) -> Path | None:
    """None without one. Raises UserError for a path that cannot be written, another suffix, and the picture itself."""
    if attention_out is None:
        return None
    path = new_file(attention_out, "attention_out")
    if path.suffix not in (".png", ".json"):
        raise UserError(f"attention_out={attention_out}: expected a name that ends in .png or .json")
    if path == place(image, "image").resolve():
        raise UserError(f"attention_out={attention_out} is the picture that is read: give another file")
    return path
