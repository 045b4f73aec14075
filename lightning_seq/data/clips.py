"""Clips: sequences of frames in folders, animated pictures, strips and video files."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import numpy as np

from lightning_seq.data.pictures import MOST_PIXELS, Picture, PictureFile, Pixels, Size2, fitted, rgb
from lightning_seq.errors import UserError, first_line, install

if TYPE_CHECKING:
    from av.container import InputContainer
    from PIL import Image

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Endings of the frames in a folder."""
VIDEOS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
ANIMATED = (".gif", ".webp", ".png", ".apng")
ENDINGS = (*VIDEOS, *ANIMATED)
MOST_REPEATS = 100
"""Frames for one of an animation that is shown for long."""

Pick: TypeAlias = Callable[[int], np.ndarray]
"""From the number of frames of a clip to the numbers of those to read, in rising order."""


class Clip(Protocol):
    """A clip whose frames are decoded when they are needed."""

    @property
    def name(self) -> str:
        """For people."""
        ...

    def frames(self, pick: Pick) -> Iterator[np.ndarray]:
        """The picked frames, `[height, width, 3]` uint8. Raises UserError, with the name, for an unreadable clip."""
        ...


@dataclass(frozen=True)
class DrawnClip:
    """A clip that a function draws, `[T, height, width, 3]` uint8."""

    name: str
    draw: Callable[[], np.ndarray]

    def frames(self, pick: Pick) -> Iterator[np.ndarray]:
        values = self.draw()
        yield from values[pick(len(values))]


@dataclass(frozen=True)
class Strip:
    """`count` frames of equal width next to each other in one picture."""

    picture: Picture
    count: int

    @property
    def name(self) -> str:
        return self.picture.name

    def frames(self, pick: Pick) -> Iterator[np.ndarray]:
        values = self.picture.read().values
        width = values.shape[1]
        if width % self.count:
            raise UserError(f"{self.name} is {width} pixels wide: expected a multiple of data.frames={self.count}")
        side = width // self.count
        for number in pick(self.count).tolist():
            yield values[:, number * side : (number + 1) * side]


@dataclass(frozen=True)
class ClipFile:
    """A folder of frames, an animated picture (GIF, WebP, PNG), or a video file that PyAV reads."""

    name: str
    path: Path

    def frames(self, pick: Pick) -> Iterator[np.ndarray]:
        path = self.path
        if path.is_dir():
            return self._folder(pick)
        if not path.is_file():
            raise UserError(f"{self.name} does not exist: expected a clip (a folder of frames, or a file)")
        if not path.stat().st_size:
            raise UserError(f"{self.name} is empty: expected a clip")
        suffix = path.suffix.lower()
        if suffix not in ENDINGS:
            raise UserError(
                f"{self.name} ends in {suffix or 'nothing'}: expected a folder of frames, an animated picture "
                f"({', '.join(ANIMATED)}) or a video ({', '.join(VIDEOS)})"
            )
        return self._video(pick) if suffix in VIDEOS else self._animated(pick)

    def _folder(self, pick: Pick) -> Iterator[np.ndarray]:
        """The pictures of a folder in the order of their names, numbers in them by value."""
        files = [file for file in self.path.iterdir() if file.suffix.lower() in PICTURES and file.name[0] != "."]
        if not files:
            raise UserError(f"{self.name} holds no pictures: expected frames ({', '.join(PICTURES)})")
        files.sort(key=lambda file: by_number(file.name))
        for number in pick(len(files)).tolist():
            yield PictureFile(f"{self.name}/{files[number].name}", files[number]).read().values

    def _animated(self, pick: Pick) -> Iterator[np.ndarray]:
        """Writers join equal frames to one that lasts longer: it is several frames again."""
        from PIL import Image, UnidentifiedImageError

        try:
            with warnings.catch_warnings(), Image.open(self.path) as image:
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is lower
                self._check_size(*image.size)
                frames = _repeated(image)
                for number in frames[pick(len(frames))].tolist():
                    image.seek(number)
                    yield rgb(_copied(image)).values
        except UserError:
            raise
        except UnidentifiedImageError as error:
            raise UserError(
                f"{self.name} is no animated picture that can be read: expected GIF, WebP or PNG"
            ) from error
        except Exception as error:  # decoders raise anything for damaged content
            raise self._damaged(error) from error

    def _video(self, pick: Pick) -> Iterator[np.ndarray]:
        try:
            import av
        except ImportError:
            raise UserError(
                f"{self.name} is a video file, and PyAV is not installed: {install('video')}, or give a folder of "
                "frames or an animated GIF"
            ) from None
        try:
            with av.open(str(self.path)) as container:
                if not container.streams.video:
                    raise UserError(f"{self.name} has no pictures, only sound: expected a video")
                stream = container.streams.video[0]
                self._check_size(stream.width, stream.height)
                count = _count(container)
            if not count:
                raise UserError(f"{self.name} has no frame: expected a video")
            wanted = set(pick(count).tolist())
            last = max(wanted)
            with av.open(str(self.path)) as container:
                for number, frame in enumerate(container.decode(video=0)):
                    if number in wanted:
                        yield frame.to_ndarray(format="rgb24")
                    if number == last:
                        return
        except UserError:
            raise
        except Exception as error:  # decoders raise anything for damaged content
            raise self._damaged(error) from error

    def _check_size(self, width: int, height: int) -> None:
        if width * height > MOST_PIXELS:
            raise UserError(
                f"{self.name} has frames of {width:,} x {height:,} pixels: expected at most {MOST_PIXELS:,} in all; "
                "make them smaller"
            )

    def _damaged(self, error: Exception) -> UserError:
        return UserError(f"{self.name} is damaged ({first_line(error)}): expected a whole clip")


def _repeated(image: Image.Image) -> np.ndarray:
    """The number of each frame of an animation, k times for one that lasts k times as long as the shortest; at most
    `MOST_REPEATS`."""
    times = []
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        image.load()
        times.append(float(image.info.get("duration") or 0))
    shortest = min(times)
    repeats = [round(time / shortest) if shortest else 1 for time in times]
    return np.repeat(np.arange(len(times)), np.clip(repeats, 1, MOST_REPEATS))


def _copied(image: Image.Image) -> Image.Image:
    """One frame, so that it is no longer an animation."""
    kept = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
    kept.info.clear()
    return kept


def _count(container: InputContainer) -> int:
    """The frames of a video, by decoding it: what its head says may be wrong."""
    return sum(1 for _ in container.decode(video=0))


def by_number(name: str) -> list[tuple[int, str]]:
    """A key that puts `frame_10` after `frame_9`."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]+)", name)]


def mark(path: Path) -> list[object]:
    """Names, sizes and times of the files of a clip: another content has another mark."""
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [[file.name, (stat := file.stat()).st_size, stat.st_mtime_ns] for file in files if file.is_file()]


@dataclass(frozen=True)
class ClipPicture:
    """A clip as one picture, a strip of `count` frames of one size; evenly taken, a short clip's frames repeatedly.

    count: None: all frames, of their own size. fit: see `fitted`.
    """

    clip: Clip
    count: int | None = None
    size: Size2 = (1, 1)
    fit: str = "pad"

    @property
    def name(self) -> str:
        return self.clip.name

    def read(self) -> Pixels:
        """Raises UserError as the clip does."""
        if self.count is None:
            return Pixels(np.concatenate([*self.clip.frames(np.arange)], 1))
        places = np.array([])

        def pick(total: int) -> np.ndarray:
            nonlocal places
            kept, places = np.unique(evenly(total, self.count or 1), return_inverse=True)
            return kept

        frames = [fitted(frame, self.size, self.fit).values for frame in self.clip.frames(pick)]
        return Pixels(np.concatenate([frames[place] for place in places.tolist()], 1))


def evenly(total: int, count: int) -> np.ndarray:
    """`[count]`, numbers from 0 to total - 1 in equal steps."""
    return np.linspace(0, total - 1, count).round().astype(np.int64)
