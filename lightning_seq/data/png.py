"""Whether a PNG file has the data of all its rows: Pillow reads missing ones as black."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
AT_ONCE = 2**24
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By type of colour (PNG specification, table 11.1)."""
_WHOLE, _ADAM7 = ((0, 0, 1, 1),), (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip
"""The passes: first column, first row, and the steps between columns and between rows (ibid., sec. 8.2)."""


def ends_early(content: bytes) -> bool:
    """Whether the image data of a PNG file are fewer than its size needs. False for another kind of file."""
    chunks = dict[bytes, list[bytes]]()
    for kind, data in _chunks(content):
        chunks.setdefault(kind, []).append(data)
    if b"IHDR" not in chunks or len(chunks[b"IHDR"][0]) != 13:
        return False
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"][0])
    needed = 0
    for left, top, across, down in _ADAM7 if interlaced else _WHOLE:
        columns, rows = -((left - width) // across), -((top - height) // down)
        needed += rows * (1 + -(-columns * depth * _CHANNELS.get(colour, 1) // 8)) if columns > 0 else 0
    reader, read = zlib.decompressobj(), 0
    try:
        for data in chunks.get(b"IDAT", []):
            while data and read < needed:
                read += len(reader.decompress(data, min(needed - read, AT_ONCE)))
                data = reader.unconsumed_tail
        read += len(reader.flush()) if read < needed else 0
    except zlib.error:
        return True
    return read < needed


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while content.startswith(SIGNATURE) and place + 8 <= len(content):
        length = int.from_bytes(content[place : place + 4])
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += length + 12
