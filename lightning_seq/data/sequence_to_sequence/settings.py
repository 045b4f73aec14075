"""How pairs of texts are prepared for batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lightning_seq.data.cache import check_limits
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain
from lightning_seq.text.normalise import check_form
from lightning_seq.text.segmenter import check_level

SIDES = ("source", "target")
_SUBWORD = {"kind": "bpe", "size": 8000}


@dataclass(frozen=True)
class PairSettings:
    """How the texts of a source are prepared.

    level, target_level:           of each side, see `Segmenter`; target_level None: the source's.
    subword, target_subword:       of level `subword`: `{kind, size}`, see `Subwords.train`; target_subword None: the
                                   source's.
    lower:                         small letters only, on both sides.
    normalise:                     see `FORMS` of text/normalise.py.
    min_count, max_vocabulary:     of words or characters, in training; the others are unknown. Subwords have a size.
    joint_vocabulary:              one vocabulary, and one model of subwords, for both sides.
    max_length, max_target_length: tokens of a text that are kept, from its beginning; None for all.
    source_eos:                    whether `<eos>` ends a source, as it ends every target.

    Raises UserError for values out of range.
    """

    level: str = "word"
    target_level: str | None = None
    subword: Mapping[str, Plain] = field(default_factory=lambda: dict(_SUBWORD), hash=False)
    target_subword: Mapping[str, Plain] | None = field(default=None, hash=False)
    lower: bool = True
    min_count: int = 1
    max_vocabulary: int | None = None
    joint_vocabulary: bool = False
    max_length: int | None = None
    max_target_length: int | None = None
    source_eos: bool = False
    normalise: str = "nfc"

    def __post_init__(self) -> None:
        check_level("level", self.level)
        check_form(self.normalise)
        if self.target_level is not None:
            check_level("target_level", self.target_level)
        for name in ("subword", "target_subword"):
            options = getattr(self, name)
            if options is not None and not isinstance(options, Mapping):
                raise UserError(f"data.{name}={options}: expected {{kind: bpe or unigram, size: N}}")
            for key in options or ():
                if key not in _SUBWORD:
                    raise UserError(f"data.{name} has no key {key!r}; {near(str(key), _SUBWORD)}")
        check_limits(max_length=self.max_length, max_target_length=self.max_target_length)
        if self.joint_vocabulary and self.subwords("source") != self.subwords("target"):
            raise UserError(
                "data.joint_vocabulary=true needs the same kind of tokens on both sides: expected data.target_level "
                f"and data.target_subword as of the source (level {self.levels['source']}), or null"
            )

    @property
    def levels(self) -> dict[str, str]:
        return {"source": self.level, "target": self.target_level or self.level}

    def subwords(self, side: str) -> tuple[str, dict[str, Plain] | None]:
        """The level of a side and, of level `subword`, the arguments of `Subwords.train`."""
        level = self.levels[side]
        own = self.subword if side == "source" or self.target_subword is None else self.target_subword
        return level, ({**_SUBWORD, **own} if level == "subword" else None)

    def to_plain(self) -> Plain:
        plain = {name: value for name, value in vars(self).items() if name not in ("subword", "target_subword")}
        return plain | {"subwords": [self.subwords(side)[1] for side in SIDES]}
