"""A public set of pictures with captions, as a mirror has it."""

from __future__ import annotations

from pathlib import Path

from datasets import Dataset, Features, Image, Value
from PIL import Image as Pillow


def write_set(place: Path, rows: int) -> None:
    """Write `rows` pictures with an English caption, and captions in two languages."""
    columns = {
        "image": [Pillow.new("RGB", (10, 10), (20 * row % 256, 0, 0)) for row in range(rows)],
        "caption": [f"picture {row}" for row in range(rows)],
        "other": [f"the picture {row}" for row in range(rows)],
        "number": [7 * (row // 2) for row in range(rows)],
        "kind": ["odd" if row % 2 else "even" for row in range(rows)],
        "captions": [{"de": f"bild {row}", "en": f"picture {row}"} for row in range(rows)],
    }
    text = Value("string")
    names = dict.fromkeys(("caption", "other", "kind"), text)
    kinds = Features({"image": Image(), "number": Value("int64"), **names, "captions": {"de": text, "en": text}})
    (place / "data").mkdir(parents=True)
    Dataset.from_dict(columns, kinds).to_parquet(place / "data" / "train-00000-of-00001.parquet")
    (place / "README.md").write_text("")
