"""Pictures with captions in files of the user."""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path

from lightning_seq.data.pictures import Picture, PictureFile
from lightning_seq.data.sources.captions import CaptionTable
from lightning_seq.data.sources.split_files import SplitFiles, decoded
from lightning_seq.data.sources.table import Cut, Loaded
from lightning_seq.errors import UserError, near
from lightning_seq.files import DamagedError, Plain, fingerprint, parse_json
from lightning_seq.printable import number_of
from lightning_seq.text.column import delimiter_of, json_object, records
from lightning_seq.text.lines import check_characters, split_lines

FORMS = (
    "csv, tsv (a header with columns of pictures and captions), jsonl (objects with file_name and text), "
    "json (COCO's captions_*.json or Karpathy's dataset_*.json) or txt (Flickr's `name.jpg#0`, a tab, the caption)"
)
KARPATHY = {"train": "train", "restval": "train", "val": "validation", "test": "test"}
"""The splits of Karpathy's files, and ours."""
Row = tuple[int, str, str]
"""The line of a caption, or the number of its picture, the picture's file, the caption."""


@dataclass(frozen=True)
class CaptionFiles(SplitFiles, Cut):
    """Files that name pictures and their captions; a picture that several lines name has several captions.

    A file is csv, tsv, jsonl, json (COCO's or Karpathy's) or txt (Flickr's), by its ending. A directory stands for the
    `metadata.jsonl` or `metadata.csv` in it. Karpathy's files hold all splits: `train` alone is given.

    pictures:       the directory of the pictures; None: that of the file.
    picture_column, caption_column: of csv, tsv and jsonl files; None: the first of the usual names in the file.
    """

    pictures: str | None = None
    picture_column: str | None = None
    caption_column: str | None = None

    advice = f"give data.train=FILE: {FORMS}; or a directory with metadata.jsonl or metadata.csv"

    def paths(self) -> dict[str, Path]:
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        found = {split: str(_metadata(split, Path(path).expanduser())) for split, path in given.items() if path}
        return SplitFiles(**found, encoding=self.encoding).paths()  # type: ignore[arg-type]

    def identity(self) -> Plain:
        files = {
            split: [[picture.name, *file_mark(picture)] for picture in table.pictures] + [table.captions]
            for split, table in self._tables[0].items()
        }
        return {"captions": fingerprint(files), "cut": self.shares(), **self.encoded()}

    def load(self) -> Loaded[CaptionTable]:
        """Raises UserError, with file and line, for a mistake in the files, and for a missing picture."""
        tables, notes = self._tables
        return self.loaded(tables, notes=notes)

    def given(self) -> Collection[str]:
        return self._tables[0].keys()

    @cached_property
    def _tables(self) -> tuple[dict[str, CaptionTable], list[str]]:
        paths, notes = self.paths(), list[str]()
        if paths["train"].suffix.lower() == ".json":
            plain = _json(paths["train"], self.encoding)
            if _is_karpathys(plain):
                others = [split for split in paths if split != "train"]
                if others:
                    raise UserError(
                        f"data.{others[0]}={paths[others[0]]}: {paths['train'].name} holds all splits; leave it out"
                    )
                tables = {}
                for split in dict.fromkeys(KARPATHY.values()):
                    rows = _karpathys(plain, paths["train"], split)
                    tables[split] = self._table(paths["train"], rows, notes, split)
                return {split: table for split, table in tables.items() if len(table) or split == "train"}, notes
        return {split: self._table(path, self._rows(path), notes, split) for split, path in paths.items()}, notes

    def _rows(self, path: Path) -> Iterable[Row]:
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise UserError(f"{path} ends in {path.suffix or 'nothing'}: expected {FORMS}")
        return reader(self, path)

    def _table(self, path: Path, rows: Iterable[Row], notes: list[str], split: str) -> CaptionTable:
        captions: dict[str, list[str]] = {}
        ids, empty = dict[str, int](), 0
        for line, name, text in rows:
            check_characters(f"{path}, line {line}", text)
            if not text.strip():
                empty += 1
                continue
            captions.setdefault(name, []).append(text)
            ids.setdefault(name, line)
        if empty:
            notes.append(f"{split}: {number_of(empty, 'empty caption')} left out")
        root = Path(self.pictures).expanduser() if self.pictures else path.parent
        if not root.is_dir():
            raise UserError(f"data.pictures={self.pictures} is not a directory: expected the one with the pictures")
        files = {name: _inside(root, name, path) for name in captions}
        missing = [name for name, file in files.items() if not file.is_file()]
        if missing:
            raise UserError(
                f"{path}, line {ids[missing[0]]}: the picture {missing[0]} is not in {root} "
                f"({len(missing):,} of {len(files):,} are missing); give their directory as data.pictures=DIR"
            )
        return CaptionTable(
            [PictureFile(name, files[name]) for name in captions], [*captions.values()], [*ids.values()]
        )

    def _separated(self, path: Path) -> Iterator[Row]:
        text = decoded(path, self.encoding)
        first = text.lstrip("\r\n").partition("\n")[0]
        tabs = path.suffix.lower() == ".tsv"
        names = product(*(([own] if (own := getattr(self, setting)) else usual) for setting, usual in _USUAL.items()))
        fitting = (mark for two in names if (mark := delimiter_of(first, two)) != ",")
        delimiter = "\t" if tabs else next(fitting, ",")
        rows = records(io.StringIO(text, newline="\n"), delimiter, not tabs, str(path))
        header = next([name.strip() for name in row] for *_, row in rows if row)
        columns = [self._column(path, setting, header) for setting in _USUAL]
        for line, _, row in rows:
            if not row:
                continue
            if len(row) != len(header):
                raise UserError(
                    f"{path}, line {line}: {len(row)} values where the header has {len(header)}: expected "
                    'a value for every column; a caption with a delimiter in it needs quotes ("…")'
                )
            yield line, row[columns[0]].strip(), row[columns[1]]

    def _column(self, path: Path, setting: str, header: list[str]) -> int:
        name = getattr(self, setting) or next((usual for usual in _USUAL[setting] if usual in header), None)
        if name not in header:
            raise UserError(
                f"{path} has no column {name or ' or '.join(_USUAL[setting])!r}: its columns are {', '.join(header)}; "
                f"give data.{setting}=NAME"
            )
        return header.index(name)

    def _objects(self, path: Path) -> Iterator[Row]:
        for line, content in enumerate(split_lines(decoded(path, self.encoding)), 1):
            if not content.strip():
                continue
            where = f"{path}, line {line}"
            record = json_object(content, where, "file_name")
            names = [self._column(path, setting, list(record)) for setting in _USUAL]
            picture, text = ([*record.values()][name] for name in names)
            for one in text if isinstance(text, list) else [text]:
                if not isinstance(picture, str) or not isinstance(one, str):
                    raise UserError(f"{where}: expected the name of a picture and a text (or a list of texts)")
                yield line, picture, one

    def _flickrs(self, path: Path) -> Iterator[Row]:
        for line, content in enumerate(split_lines(decoded(path, self.encoding)), 1):
            if not content.strip():
                continue
            name, tab, text = content.partition("\t")
            if not tab:
                raise UserError(f"{path}, line {line}: no tab: expected the name of a picture, a tab and its caption")
            yield line, name.rpartition("#")[0] or name, text

    def _cocos(self, path: Path) -> Iterator[Row]:
        plain = _json(path, self.encoding)
        if _is_karpathys(plain):
            raise UserError(f"{path} holds all splits (Karpathy's form): give it as data.train alone")
        try:
            names = {image["id"]: (row, str(image["file_name"])) for row, image in enumerate(plain["images"])}
            for annotation in plain["annotations"]:
                yield *names[annotation["image_id"]], str(annotation["caption"])
        except (KeyError, TypeError) as error:
            raise UserError(
                f"{path} is not in COCO's form ({type(error).__name__}: {error}): expected images with id and "
                "file_name, and annotations with image_id and caption"
            ) from None


_USUAL = {
    "picture_column": ("file_name", "image", "picture", "path", "filename"),
    "caption_column": ("caption", "text", "captions", "texts"),
}
_READERS: dict[str, Callable[[CaptionFiles, Path], Iterable[Row]]] = {
    ".csv": CaptionFiles._separated,
    ".tsv": CaptionFiles._separated,
    ".jsonl": CaptionFiles._objects,
    ".txt": CaptionFiles._flickrs,
    ".json": CaptionFiles._cocos,
}


def _metadata(split: str, path: Path) -> Path:
    """A file of captions: the path, or the one in that directory."""
    if not path.is_dir():
        return path
    names = [path / name for name in ("metadata.jsonl", "metadata.csv") if (path / name).is_file()]
    if not names:
        raise UserError(
            f"data.{split}={path} is a directory without metadata.jsonl or metadata.csv: expected one of "
            "them, with a picture and its caption on each line"
        )
    return names[0]


def _json(path: Path, encoding: str) -> dict[str, Plain]:
    try:
        return parse_json(decoded(path, encoding), dict)
    except DamagedError as error:
        raise UserError(f"{path} cannot be read ({error}): expected {FORMS}") from None


def _is_karpathys(plain: dict[str, Plain]) -> bool:
    images = plain.get("images")
    return isinstance(images, list) and bool(images) and isinstance(images[0], dict) and "sentences" in images[0]


def _karpathys(plain: dict[str, Plain], path: Path, split: str) -> Iterator[Row]:
    for row, image in enumerate(plain["images"]):
        try:
            own = image["split"]
            if own not in KARPATHY:
                raise UserError(f"{path}, image {row}: split {own!r}; {near(str(own), KARPATHY)}")
            if KARPATHY[own] == split:
                name = str(Path(str(image.get("filepath") or "")) / str(image["filename"]))
                for sentence in image["sentences"]:
                    yield row, name, str(sentence.get("raw") or " ".join(sentence["tokens"]))
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}, image {row} is not in Karpathy's form ({type(error).__name__}: {error}): expected filename, "
                "split and sentences with raw"
            ) from None


def _inside(root: Path, name: str, path: Path) -> Path:
    """The picture's file. Raises UserError for one outside the directory of the pictures."""
    file = root / name
    if not name or not file.resolve().is_relative_to(root.resolve()):
        raise UserError(f"{path} names the picture {name!r}: expected a file in {root}")
    return file


def file_mark(picture: Picture) -> tuple[int, int]:
    """Size and time of a picture's file: another content has another one."""
    if not isinstance(picture, PictureFile) or not isinstance(picture.content, Path):
        raise TypeError(f"{picture.name} is in no file")
    stat = picture.content.stat()
    return stat.st_size, stat.st_mtime_ns
