"""Files of questions about pictures, as a user has them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

COLOURS = ("red", "green", "blue", "black")
COCO = "COCO_val2014_{:012d}.jpg"


def write_pictures(place: Path, count: int = 12, name: str = "{}.png") -> Path:
    """Pictures of one colour each, in turns, without and with a bar."""
    place.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        picture = Image.new("RGB", (12, 12), COLOURS[number % 4])
        picture.paste("white", (0, 0, 12, number // 4))
        picture.save(place / name.format(number))
    return place


def csv_lines(count: int = 12) -> str:
    """Two questions about each picture, with choices for the first."""
    lines = ["image,question,answer,kind,choices"]
    for number in range(count):
        colour = COLOURS[number % 4]
        lines.append(f"{number}.png,what colour is it,{colour},colour,{'|'.join(COLOURS)}")
        lines.append(f'{number}.png,"is it red, or not",{"yes" if colour == "red" else "no"},yes/no,')
    return "\n".join(lines) + "\n"


def vqa_files(place: Path, count: int = 12, **annotation: Any) -> Path:
    """VQA's questions and annotations: seven annotators say the colour, two `The Dark.`, one nothing of use."""
    questions = [
        {"question_id": 100 + number, "image_id": number, "question": "What colour is it?"} for number in range(count)
    ]
    annotations = [
        {
            "question_id": 100 + number,
            "image_id": number,
            "question_type": "what colour",
            "answer_type": "other" if number % 2 else "yes/no",
            "multiple_choice_answer": COLOURS[number % 4],
            "answers": [
                {"answer": answer, "answer_confidence": "yes", "answer_id": place}
                for place, answer in enumerate([COLOURS[number % 4]] * 7 + ["The Dark."] * 2 + ["none"], 1)
            ],
            **annotation,
        }
        for number in range(count)
    ]
    place.mkdir(parents=True, exist_ok=True)
    file = place / "v2_OpenEnded_mscoco_val2014_questions.json"
    file.write_text(json.dumps({"data_type": "mscoco", "data_subtype": "val2014", "questions": questions}))
    (place / "v2_mscoco_val2014_annotations.json").write_text(json.dumps({"annotations": annotations}))
    return file


def clevr_questions(count: int = 12) -> dict[str, Any]:
    functions = ("query_color", "exist")
    return {
        "info": {"split": "val"},
        "questions": [
            {
                "question_index": number,
                "image_index": number,
                "image_filename": f"{number}.png",
                "split": "val",
                "question": "What color is the bar?",
                "answer": COLOURS[number % 4],
                "program": [
                    {"function": "scene", "inputs": [], "value_inputs": []},
                    {"function": functions[number % 2], "inputs": [0], "value_inputs": []},
                ],
            }
            for number in range(count)
        ],
    }
