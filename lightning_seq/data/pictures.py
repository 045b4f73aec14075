"""Pictures as arrays: decoded, fitted to one size, and kept on disk."""

from __future__ import annotations

import base64
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

import numpy as np

from lightning_seq.data.png import ends_early
from lightning_seq.errors import UserError, first_line
from lightning_seq.files import place
from lightning_seq.printable import number_of
from lightning_seq.records.pictures import longest_side

if TYPE_CHECKING:
    from PIL import Image

MOST_PIXELS = 50_000_000
"""Of one picture, before it is made smaller: a file of a few kilobytes can hold a picture that fills the memory."""
FITS = ("pad", "crop", "stretch")
WHITE = 255
"""Pixels of a side of a picture in a record."""

Size2: TypeAlias = tuple[int, int]
"""Height and width, in pixels."""
Box: TypeAlias = tuple[float, float, float, float]
"""Left, top, right and bottom, in parts of a picture's width and height."""


class Pixels(NamedTuple):
    """values: `[height, width, 3]` uint8, or channels first; change: of the own colours, for people, or None."""

    values: np.ndarray
    change: str | None = None


class Picture(Protocol):
    """A picture that is decoded when it is needed."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def read(self) -> Pixels:
        """Raises UserError, with the name, for a picture that cannot be read."""
        ...


@dataclass(frozen=True)
class PictureFile:
    """A picture in a file, or in the bytes of one."""

    name: str
    content: bytes | Path

    def read(self) -> Pixels:
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings(), Image.open(self._file()) as image:
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
                width, height = image.size
                if width * height > MOST_PIXELS:
                    raise UserError(
                        f"{self.name} has {width:,} x {height:,} pixels: expected at most {MOST_PIXELS:,} in all; make "
                        "it smaller"
                    )
                read = rgb(image)
                if image.format == "PNG" and ends_early(self._bytes()):
                    raise UserError(
                        f"{self.name} is damaged (its data end before its last row): expected a whole picture"
                    )
                return read
        except UserError:
            raise
        except Image.DecompressionBombError as error:  # Pillow refuses it before its size is known
            raise UserError(
                f"{self.name} has more pixels than {MOST_PIXELS:,}: expected fewer; make it smaller"
            ) from error
        except UnidentifiedImageError as error:
            raise UserError(
                f"{self.name} is no picture that can be read: expected PNG, JPEG or another of Pillow's formats"
            ) from error
        except FileNotFoundError as error:
            raise UserError(f"{self.name} does not exist: expected a picture") from error
        except Exception as error:  # decoders raise anything for damaged content
            raise UserError(f"{self.name} is damaged ({first_line(error)}): expected a whole picture") from error

    def _bytes(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()

    def _file(self) -> BytesIO | Path:
        if isinstance(self.content, bytes):
            if not self.content:
                raise UserError(f"{self.name} is empty: expected a picture")
            return BytesIO(self.content)
        if self.content.is_file() and not self.content.stat().st_size:
            raise UserError(f"{self.name} is empty: expected a picture")
        if self.content.exists() and not self.content.is_file():
            raise UserError(f"{self.name} is not a file: expected a picture")
        return self.content


def rgb(image: Image.Image) -> Pixels:
    """Three colours of 8 bits, transparent parts on white; of several frames the first."""
    from PIL import Image, ImageOps

    change = None
    if getattr(image, "n_frames", 1) > 1:
        change = "of several frames: the first was taken"
    turned = ImageOps.exif_transpose(image)
    if turned.mode in ("I;16", "I;16B", "I;16L", "I"):
        change = "of 16 bits: taken as 8"
        turned = Image.fromarray((np.asarray(turned).astype(np.float64).clip(0, 65535) / 257).round().astype(np.uint8))
    elif turned.mode in ("CMYK", "YCbCr", "LAB", "HSV", "F"):
        change = f"of mode {turned.mode}: converted to RGB"
    if "A" in turned.getbands() or "transparency" in turned.info:
        change = change or "with transparent parts: laid on white"
        layer = turned.convert("RGBA")
        turned = Image.new("RGBA", layer.size, "white")
        turned.alpha_composite(layer)
    return Pixels(np.array(turned.convert("RGB")), change)


class Fitted(NamedTuple):
    """values: `[height, width, 3]` uint8; scale and offset: x' = x · scale + offset, of boxes, for x and y."""

    values: np.ndarray
    scale: tuple[float, float]
    offset: tuple[float, float]

    def box(self, box: Box) -> Box:
        """A box of the picture in parts of the fitted one."""
        x0, y0, x1, y1 = (
            min(max(value * self.scale[axis % 2] + self.offset[axis % 2], 0.0), 1.0) for axis, value in enumerate(box)
        )
        return x0, y0, x1, y1


def fitted(values: np.ndarray, size: Size2, fit: str) -> Fitted:
    """A picture in another size.

    fit: `pad` keeps the whole picture and its proportions, on white; `crop` keeps the proportions and fills the size
         with the middle; `stretch` changes the proportions.
    """
    from PIL import Image

    (height, width), (H, W) = values.shape[:2], size
    if (height, width) == (H, W):
        return Fitted(values, (1.0, 1.0), (0.0, 0.0))
    ratios = H / height, W / width
    ratio = min(ratios) if fit == "pad" else max(ratios)
    rows, columns = (H, W) if fit == "stretch" else (max(1, round(height * ratio)), max(1, round(width * ratio)))
    resized = np.array(Image.fromarray(values).resize((columns, rows), Image.Resampling.BILINEAR))
    top, left = (H - rows) // 2, (W - columns) // 2
    canvas = np.full((H, W, 3), WHITE, dtype=np.uint8)
    canvas[max(top, 0) : top + rows, max(left, 0) : left + columns] = resized[
        max(-top, 0) : max(-top, 0) + H, max(-left, 0) : max(-left, 0) + W
    ]
    return Fitted(canvas, (columns / W, rows / H), (left / W, top / H))


def channels_first(values: np.ndarray, channels: int) -> np.ndarray:
    """`[height, width, 3]` to `[channels, height, width]`; one channel is the luma of ITU-R BT.601."""
    if channels == 1:
        values = np.rint(values @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)[..., None]
    return np.ascontiguousarray(values.transpose(2, 0, 1))


def small_png(values: np.ndarray, most: int | None = None) -> str:
    """A picture `[channels, height, width]` uint8 as a PNG file in base64, with at most `most` pixels a side.

    most: None is `longest_side`.
    """
    from PIL import Image

    most = most or longest_side(values.shape[2], values.shape[1])
    image = Image.fromarray(values[0] if len(values) == 1 else np.ascontiguousarray(values.transpose(1, 2, 0)))
    image.thumbnail((most, most), Image.Resampling.LANCZOS)
    content = BytesIO()
    image.save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode("ascii")


def save_pictures(
    path: Path, pictures: Sequence[Picture], size: Size2, channels: int, fit: str, where: str, report: list[str]
) -> list[Fitted]:
    """Write `[N, channels, height, width]` uint8 to a `.npy` file, a picture at a time, and a line in the report for
    each kind of change. Returns how each was fitted, without its values.

    Raises UserError for a picture that cannot be read.
    """
    kept = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(len(pictures), channels, *size))
    changes, fits = Counter[str](), []
    for row, picture in enumerate(pictures):
        pixels = picture.read()
        one = fitted(pixels.values, size, fit)
        kept[row] = channels_first(one.values, channels)
        fits.append(one._replace(values=np.zeros(0, np.uint8)))
        if pixels.change:
            changes[pixels.change] += 1
    kept.flush()
    report += [f"{where}{number_of(count, 'picture')} {change}" for change, count in changes.items()]
    return fits


def read_fitted(path: Path, size: Size2, fit: str, channels: int) -> Pixels:
    """The picture of a file, channels first, in the size of a model. Raises UserError for a file that is no picture."""
    values, change = PictureFile(str(path), place(path, "image")).read()
    return Pixels(channels_first(fitted(values, size, fit).values, channels), change)


def picture_named(name: str, where: str) -> Path:
    """The path of a line's picture. where: the line, for people. Raises UserError for an empty name."""
    if not name.strip():
        raise UserError(f"{where} names no picture: expected its file")
    return Path(name)
