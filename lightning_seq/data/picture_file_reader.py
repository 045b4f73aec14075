"""The base of readers of pictures in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lightning_seq.data.clips import ClipFile, ClipPicture
from lightning_seq.data.note import Note
from lightning_seq.data.pictures import Pixels, channels_first, read_fitted
from lightning_seq.data.reader import Reader
from lightning_seq.errors import UserError
from lightning_seq.spec import FilmStrip, Picture, Question
from lightning_seq.text.segmenter import Segmenter
from lightning_seq.text.vocabulary import Vocabulary


@dataclass(frozen=True)
class PictureFileReader(Reader):
    """Reads pictures in files, with texts.

    segmenter: from a text to tokens.
    fit:       of pictures of another size, see `fitted`.
    """

    vocabulary: Vocabulary
    segmenter: Segmenter
    fit: str = "pad"

    def read(self, path: Path) -> Pixels:
        """`[channels, height, width]` uint8, and the change of the picture's own colours. Raises UserError for a file
        that is no picture."""
        inputs = self.spec.inputs
        if not isinstance(inputs, Picture | Question):
            raise TypeError(f"inputs are {type(inputs).__name__}: expected pictures")
        if isinstance(inputs, FilmStrip):
            size = inputs.height, inputs.width // inputs.frames
            values, change = ClipPicture(ClipFile(str(path), path), inputs.frames, size, self.fit).read()
            return Pixels(channels_first(values, inputs.channels), change)
        return read_fitted(path, (inputs.height, inputs.width), self.fit, inputs.channels)

    def note_of_picture(self, path: Path, of_text: Note | None = None) -> Note | None:
        """A note on a picture and its text. of_text: the note on the text."""
        if of_text is not None and not of_text.readable:
            return of_text
        try:
            change = self.read(path).change
        except UserError as error:
            return Note(str(error), False)
        return of_text or (Note(f"the picture is {change}", True) if change else None)
