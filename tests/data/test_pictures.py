from __future__ import annotations

import base64
import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lightning_seq.data import pictures
from lightning_seq.data.pictures import PictureFile, channels_first, fitted, save_pictures, small_png
from lightning_seq.data.png import SIGNATURE, ends_early
from lightning_seq.errors import UserError
from lightning_seq.records.pictures import checked_png

RED = (255, 0, 0)


def content(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    stream = BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def read(data: bytes) -> pictures.Pixels:
    return PictureFile("x.png", data).read()


@pytest.mark.parametrize(
    ("image", "form", "change"),
    [
        (Image.new("RGB", (4, 3), RED), "PNG", None),
        (Image.new("P", (4, 3)), "PNG", None),
        (Image.new("L", (4, 3), 7), "PNG", None),
        (Image.new("1", (4, 3), 1), "PNG", None),
        (Image.new("CMYK", (4, 3), (0, 255, 255, 0)), "TIFF", "of mode CMYK: converted to RGB"),
        (Image.new("RGBA", (4, 3), (255, 0, 0, 128)), "PNG", "with transparent parts: laid on white"),
        (Image.fromarray(np.full((3, 4), 257 * 40, np.uint16)), "PNG", "of 16 bits: taken as 8"),
    ],
)
def test_every_mode_becomes_three_colours_of_eight_bits(image: Image.Image, form: str, change: str | None) -> None:
    found = read(content(image, form))
    assert found.values.shape == (3, 4, 3)
    assert found.values.dtype == np.uint8
    assert found.change == change


def test_values_of_modes() -> None:
    assert read(content(Image.new("RGBA", (1, 1), (255, 0, 0, 128)))).values[0, 0].tolist() == [255, 127, 127]
    assert read(content(Image.fromarray(np.full((1, 1), 257 * 40, np.uint16)))).values[0, 0].tolist() == [40, 40, 40]
    assert read(content(Image.new("RGB", (1, 1), RED))).values[0, 0].tolist() == [255, 0, 0]


def test_the_first_of_several_frames() -> None:
    frames = [Image.new("RGB", (2, 2), colour) for colour in ("red", "blue")]
    found = read(content(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert found.change == "of several frames: the first was taken"
    assert found.values[0, 0, 0] > 200


def test_a_turned_photograph_is_turned_back() -> None:
    image, exif = Image.new("RGB", (4, 3), RED), Image.Exif()
    exif[0x0112] = 6  # the camera was held upright
    assert read(content(image, "JPEG", exif=exif)).values.shape == (4, 3, 3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x.png is empty"),
        (b"no picture", "x.png is no picture"),
        (content(Image.new("RGB", (64, 64), RED))[:90], "x.png is damaged"),
    ],
)
def test_what_is_no_picture_is_named(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(data)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MOST_PIXELS", 100)
    with pytest.raises(UserError, match="11 x 10 pixels: expected at most 100"):
        read(content(Image.new("RGB", (11, 10))))


def png_of(rows: bytes, header: bytes) -> bytes:
    """A PNG file with these rows, each with the number of its filter first."""
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


@pytest.mark.parametrize(("interlaced", "needed"), [(0, 3 * 4), (1, 2 + 2 + 3 + 4 + 4)])
def test_a_png_whose_data_end_early_is_refused(interlaced: int, needed: int, tmp_path: Path) -> None:
    """Of 3 x 3 grey pixels; Pillow reads the missing rows as black."""
    header = struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, interlaced)
    assert read(png_of(bytes(needed), header)).values.shape == (3, 3, 3)
    assert not ends_early(png_of(bytes(needed), header))
    path = tmp_path / "cut.png"
    path.write_bytes(png_of(bytes(needed - 4), header))
    with pytest.raises(UserError, match=r"cut.png is damaged \(its data end before its last row\)"):
        PictureFile("cut.png", path).read()


def test_large_and_packed_pngs_are_whole() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 401, 3), dtype=np.uint8)
    for mode in ("RGB", "RGBA", "L", "LA", "P", "1"):
        assert not ends_early(content(Image.fromarray(noise).convert(mode)))
    assert not ends_early(content(Image.fromarray(noise), "JPEG"))


def test_a_bomb_that_pillow_refuses_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(UserError, match=r"x.png has more pixels than 50,000,000: expected fewer; make it smaller"):
        read(content(Image.new("RGB", (11, 10))))


def test_a_missing_file_and_a_directory(tmp_path: Path) -> None:
    for path, message in ((tmp_path / "a.png", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(UserError, match=message):
            PictureFile(str(path), path).read()


def test_fits() -> None:
    wide = np.zeros((2, 4, 3), np.uint8)
    padded = fitted(wide, (4, 4), "pad")
    assert padded.values[:, 0, 0].tolist() == [255, 0, 0, 255]
    assert padded.box((0.0, 0.0, 0.5, 1.0)) == (0.0, 0.25, 0.5, 0.75)
    cropped = fitted(wide, (2, 2), "crop")
    assert cropped.values.shape == (2, 2, 3)
    assert cropped.box((0.0, 0.0, 0.5, 1.0)) == (0.0, 0.0, 0.5, 1.0)
    assert fitted(wide, (4, 4), "stretch").values.max() == 0
    assert fitted(wide, (2, 4), "pad").values is wide


def test_grey() -> None:
    assert channels_first(np.array([[[255, 0, 0]]], np.uint8), 1).tolist() == [[[76]]]


def test_saved_pictures_count_changes(tmp_path: Path) -> None:
    report: list[str] = []
    files = [PictureFile("a", content(Image.new("RGBA", (2, 2)))), PictureFile("b", content(Image.new("RGB", (4, 2))))]
    save_pictures(tmp_path / "p.npy", files, (2, 2), 3, "pad", "train: ", report)
    assert np.load(tmp_path / "p.npy").shape == (2, 3, 2, 2)
    assert report == ["train: 1 picture with transparent parts: laid on white"]


@pytest.mark.parametrize(
    ("height", "width", "shown"), [(48, 48, (48, 48)), (200, 100, (48, 96)), (24, 480, (384, 19)), (96, 480, (303, 61))]
)
def test_a_strip_of_frames_stays_wide(height: int, width: int, shown: tuple[int, int]) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (3, height, width), dtype=np.uint8)
    content = base64.b64decode(checked_png(small_png(noise)))
    assert Image.open(BytesIO(content)).size == shown
