"""The copying memory problem: a network holds symbols over a long silence, and then repeats them."""

from __future__ import annotations

from dataclasses import dataclass
from string import ascii_lowercase

from lightning_seq.data.sources.synthetic import Letters, Synthetic, different
from lightning_seq.data.sources.table import Loaded
from lightning_seq.data.sources.tagged import TaggedTable
from lightning_seq.text.bio_tags import Tag
from lightning_seq.value_types import Size

BLANK, DELIMITER = "_", ":"


@dataclass(frozen=True)
class CopyMemory(Synthetic):
    """`a c b _ _ _ _ : _ _ _`: after the delimiter the tags are the symbols in their order (Hochreiter & Schmidhuber
    1997, in the form of Arjovsky et al. 2016).

    A sentence is `length` symbols, `distance - 1` blanks, a delimiter, `length` blanks; the tags of the last `length`
    places are the symbols, each `length + distance` steps after it was read. Only those tags count: a guess is right
    once in `symbols` times, with a loss of log(symbols). (Arjovsky et al. count the silence too: their mean loss is
    this one times length / (distance + 2 · length), for a model that is sure of the blanks.)

    length:   symbols to hold.
    distance: steps of the silence.
    symbols:  the size of the alphabet.

    No sentence comes twice, in one split or in two. Raises UserError, too, where there are too few different sentences.
    """

    length: Size = 10
    distance: Size = 50
    symbols: Letters = 8

    name = "copy_memory"

    def __post_init__(self) -> None:
        super().__post_init__()
        examples = f"sentences of {self.length} out of {self.symbols} symbols"
        self.check_enough(self.symbols**self.length, examples, "a larger data.length or data.symbols")

    def describe(self) -> str:
        return f"copy_memory ({self.distance})"

    def load(self) -> Loaded[TaggedTable]:
        generator, seen = self.generator(), set[object]()

        def draw() -> tuple[str]:
            return ("".join(ascii_lowercase[letter] for letter in generator.integers(self.symbols, size=self.length)),)

        tables = {}
        for split, size in self.sizes.items():
            symbols = [text for (text,) in different(size, seen, draw)]
            tables[split] = TaggedTable(
                [[*text, *[BLANK] * (self.distance - 1), DELIMITER, *[BLANK] * self.length] for text in symbols],
                [[*list[Tag]([None] * (self.length + self.distance)), *text] for text in symbols],
                list(range(size)),
            )
        return Loaded(tables, tuple(ascii_lowercase[: self.symbols]))
