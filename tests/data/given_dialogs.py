"""Dialogs about pictures in a file of VisDial's form."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image


def visdial(place: Path, **changes: object) -> Path:
    """A file of VisDial v1.0 with two dialogs, and its pictures; `changes` of the first turn."""
    (place / "train2014").mkdir(parents=True, exist_ok=True)
    for name in ("train2014/COCO_train2014_000000000011.jpg", "12.png", "VisualDialog_val2018_000000000012.jpg"):
        Image.new("RGB", (8, 8), "red").save(place / name)
    options = {"answer_options": [1, 0, 2], "gt_index": 1}
    first = {"question": 0, "answer": 0, **options, **changes}
    second = {"question": 1, "answer": 2, "answer_options": [2, 1], "gt_index": 0}
    third = {"question": 1, "answer": 1, **options, "gt_index": 0}
    unanswered = {"question": 0, "answer_options": [1, 0, 2]}
    dialogs = [
        {"image_id": 11, "caption": "a dog", "dialog": [first, second]},
        {"image_id": 12, "caption": "two cats", "dialog": [third, unanswered]},
    ]
    data = {"questions": ["is it big", "what colour"], "answers": ["no", "red", "blue"], "dialogs": dialogs}
    path = place / "visdial_1.0_train.json"
    path.write_text(json.dumps({"version": "1.0", "split": "val2018", "data": data}))
    return path
