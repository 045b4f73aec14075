"""The verbs that work on a checkpoint: predict, score, sample and translate."""

from __future__ import annotations

from pathlib import Path

from lightning_seq.errors import UserError
from lightning_seq.experiment.arguments import (
    given_keys,
    given_texts,
    loaded_checkpoint,
    print_json_line,
    real_number,
    truth,
    whole_number,
)
from lightning_seq.help import Verb


def _predict(words: list[str]) -> int:
    from lightning_seq.experiment.predict import predictions

    given = given_keys("predict", words, {"checkpoint": "", "text": None, "file": None, "top_k": "3", "allow": ""})
    top_k = whole_number("top_k", given["top_k"])
    for line in predictions(loaded_checkpoint("predict", given), given_texts(given["text"], given["file"]), top_k or 0):
        print_json_line(line)
    return 0


def _score(words: list[str]) -> int:
    from lightning_seq.experiment.score import scores

    given = given_keys("score", words, {"checkpoint": "", "text": None, "file": None, "allow": ""})
    for line in scores(loaded_checkpoint("score", given), given_texts(given["text"], given["file"])):
        print_json_line(line)
    return 0


def _sample(words: list[str]) -> int:
    from lightning_seq.experiment.sample import Drawing, pieces

    given = given_keys(
        "sample",
        words,
        {
            **{"checkpoint": "", "prompt": "", "length": "200", "temperature": "1.0", "top_k": None, "top_p": None},
            **{"samples": "1", "seed": "1", "allow": ""},
        },
    )
    drawing = Drawing(
        length=whole_number("length", given["length"]) or 0,
        temperature=real_number("temperature", given["temperature"]) or 0.0,
        top_k=whole_number("top_k", given["top_k"]),
        top_p=real_number("top_p", given["top_p"]),
        samples=whole_number("samples", given["samples"]) or 0,
        seed=whole_number("seed", given["seed"], least=0) or 0,
    )
    grown = pieces(loaded_checkpoint("sample", given), given["prompt"] or "", drawing)
    if drawing.samples == 1:
        for (piece,) in grown:
            print(piece, end="", flush=True)
        print()
        return 0
    for number, text in enumerate(map("".join, zip(*grown, strict=True)), 1):
        print(f"--- {number}\n{text}")
    return 0


def _translate(words: list[str]) -> int:
    from lightning_seq.experiment.kinds.sequence_to_sequence import beam, check_translator
    from lightning_seq.experiment.translate import Translation, translations

    keys = {"checkpoint": "", "text": None, "file": None, "beam": None, "n_best": "1", "length_penalty": None}
    more = {"scores": "false", "attention_out": None, "batch_size": "32", "target_language": None, "allow": ""}
    given = given_keys("translate", words, {**keys, **more})
    with_scores = truth("scores", given["scores"])
    loaded, n_best = loaded_checkpoint("translate", given), whole_number("n_best", given["n_best"]) or 1
    check_translator(loaded)
    size, penalty = whole_number("beam", given["beam"]), real_number("length_penalty", given["length_penalty"])
    settings = dict(loaded.config["task"])
    settings["beam"] = max(n_best, settings["beam"]) if size is None else size
    settings |= {} if penalty is None else {"length_penalty": penalty}
    out, looks = given["attention_out"], []
    place = None if out is None else Path(out).expanduser()
    if place is not None and (place.is_dir() or not place.parent.is_dir()):
        raise UserError(f"attention_out={out}: expected a file in a directory that is there")
    found = translations(
        loaded,
        given_texts(given["text"], given["file"]),
        beam(settings, n_best),
        whole_number("batch_size", given["batch_size"]) or 1,
        out is not None,
        given["target_language"],
    )

    def line(number: int, each: Translation) -> str:
        parts = [str(number)] if n_best > 1 else []
        parts += [f"{each.score:.6f}"] if with_scores else []
        return "\t".join([*parts, each.text])

    for number, best in enumerate(found, 1):
        for each in best:
            print(line(number, each), flush=True)
            if place is not None:
                looks.append({"number": number, "source": each.source, "target": each.target, "weights": each.weights})
    if place is not None:
        from lightning_seq.files import write_json

        write_json(place, looks)
    return 0


CHECKPOINT_VERBS = {
    "predict": Verb(
        "What a trained model says of new text, as JSON lines.",
        _predict,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "top_k=N": "how many labels, or next tokens (3)",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'predict checkpoint=runs/demo/lstm-seed1/checkpoints/best.ckpt text="In the morning"',
            "predict checkpoint=best.ckpt file=verses.txt top_k=1",
            "predict checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "score": Verb(
        "How likely a text is to a language model, token by token, as JSON lines.",
        _score,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "allow=[MODULE]": "where a cell of your own comes from",
        },
        (),
        (
            'score checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt text="and"',
            "score checkpoint=best.ckpt file=verses.txt",
            "score checkpoint=best.ckpt < verses.txt",
        ),
    ),
    "sample": Verb(
        "Text from a language model, as it is drawn.",
        _sample,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'prompt="…"': "what it begins with (the beginning of a line)",
            "length=N": "symbols after the prompt (200)",
            "temperature=T": "0 always takes the likeliest (1.0)",
            "top_k=N top_p=P": "draw from the likeliest alone",
            "samples=N seed=N": "how many, side by side (1), and the draw (1)",
        },
        (),
        (
            'sample checkpoint=runs/verses_words/lstm-seed1/checkpoints/best.ckpt prompt="and"',
            "sample checkpoint=best.ckpt length=500 temperature=0.8 top_k=40 top_p=0.95 seed=2",
            "sample checkpoint=best.ckpt samples=4",
        ),
    ),
    "translate": Verb(
        "Another sequence for each line, from a trained encoder-decoder.",
        _translate,
        {
            "checkpoint=FILE": "of a run: <run>/checkpoints/best.ckpt",
            'text="…"': "one text; or",
            "file=FILE": "one per line; or standard input",
            "beam=N length_penalty=A": "how it is searched (as in training's test)",
            "n_best=N": "hypotheses of each text, after its number and a tab (1)",
            "scores=true": "the score before each, and a tab",
            "attention_out=FILE": "where each symbol looked, as JSON",
            "batch_size=N": "texts at a time (32)",
            "target_language=CODE": "refuse a model that writes another",
        },
        (),
        (
            "translate checkpoint=runs/dates/attention-seed1/checkpoints/best.ckpt < in.txt",
            'translate checkpoint=best.ckpt text="march 5, 2026" n_best=5 scores=true',
            "translate checkpoint=best.ckpt file=in.txt attention_out=out.json",
        ),
    ),
}
