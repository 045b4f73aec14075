"""Some sentences of the probe, to be looked at one by one: the same for every architecture."""

from __future__ import annotations

from lightning_seq.records.sentences import Sentence
from lightning_seq.spec import Batch, Class, DataSpec, Tokens

SENTENCES, LONGEST = 4, 30


def chosen_rows(probe: Batch, spec: DataSpec) -> list[int]:
    """Rows of the probe: of different classes where there are classes, of different lengths, few of them.

    Those of more than `LONGEST` steps are taken only where there are no others.
    """
    lengths = probe.mask.sum(1).tolist()
    fitting = [row for row, length in enumerate(lengths) if length <= LONGEST] or list(range(len(lengths)))
    order = sorted(fitting, key=lambda row: (lengths[row], row))
    if not isinstance(spec.targets, Class):
        places = [len(order) * (2 * number + 1) // (2 * SENTENCES) for number in range(SENTENCES)]
        return list(dict.fromkeys(order[place] for place in places))
    classes = probe.targets.tolist()
    first = {classes[row]: row for row in reversed(order)}
    spread = [first[each] for each in sorted(first)]
    return (spread + [row for row in order if row not in spread])[:SENTENCES]


def words_of(probe: Batch, spec: DataSpec, row: int, most: int | None = LONGEST) -> list[str]:
    """The words of a row as the vocabulary has them, `most` at most; for data without words the numbers of the steps,
    from 1."""
    steps = int(probe.mask[row].sum())
    steps = steps if most is None else min(steps, most)
    if isinstance(spec.inputs, Tokens):
        return [spec.inputs.words[number] for number in probe.inputs[row, :steps].tolist()]
    return [str(step) for step in range(1, steps + 1)]


def sentences_of(probe: Batch, spec: DataSpec, rows: list[int]) -> tuple[Sentence, ...]:
    """The first `LONGEST` words of each row."""
    return tuple(
        Sentence(int(probe.ids[row]), tuple(words_of(probe, spec, row)), int(probe.mask[row].sum()) > LONGEST)
        for row in rows
    )
