"""Pictures with captions in files of the user."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from lightning_seq.data.sources.captions import CaptionTable
from lightning_seq.data.sources.picture_files import PICTURE_NAMES, PictureFiles, mark, not_in_form, only_text
from lightning_seq.data.sources.split_files import decoded
from lightning_seq.data.sources.table import Loaded
from lightning_seq.errors import UserError, near
from lightning_seq.files import Plain, fingerprint
from lightning_seq.printable import number_of
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
class CaptionFiles(PictureFiles):
    """Files that name pictures and their captions; a picture that several lines name has several captions.

    A file is csv, tsv, jsonl, json (COCO's or Karpathy's) or txt (Flickr's), by its ending. A directory stands for the
    `metadata.jsonl` or `metadata.csv` in it. Karpathy's files hold all splits: `train` alone is given.

    pictures:       the directory of the pictures; None: that of the file.
    picture_column, caption_column: of csv, tsv and jsonl files; None: the first of the usual names in the file.
    """

    picture_column: str | None = None
    caption_column: str | None = None

    advice = f"give data.train=FILE: {FORMS}; or a directory with metadata.jsonl or metadata.csv"
    forms = FORMS
    usual: ClassVar = {"picture_column": PICTURE_NAMES, "caption_column": ("caption", "text", "captions", "texts")}

    def identity(self) -> Plain:
        files = {
            split: [[*mark(picture)] for picture in table.pictures] + [table.captions]
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
            plain = self.json(paths["train"])
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
            raise self.wrong_ending(path)
        return reader(self, path)

    def _table(self, path: Path, rows: Iterable[Row], notes: list[str], split: str) -> CaptionTable:
        captions: dict[str, list[str]] = {}
        ids, empty, unit = dict[str, int](), 0, "image" if path.suffix.lower() == ".json" else "line"
        for line, name, text in rows:
            check_characters(f"{path}, {unit} {line}", text)
            if not text.strip():
                empty += 1
                continue
            captions.setdefault(name, []).append(text)
            ids.setdefault(name, line)
        if empty:
            notes.append(f"{split}: {number_of(empty, 'empty caption')} left out")
        files = self.files(path, ids, unit=unit)
        return CaptionTable([files[name] for name in captions], [*captions.values()], [*ids.values()])

    def _separated(self, path: Path) -> Iterator[Row]:
        for line, values in self.separated(path):
            yield line, str(values["picture_column"]).strip(), str(values["caption_column"])

    def _objects(self, path: Path) -> Iterator[Row]:
        for line, values in self.objects(path):
            picture, text = values["picture_column"], values["caption_column"]
            for one in text if isinstance(text, list) else [text]:
                if not isinstance(picture, str) or not isinstance(one, str):
                    raise UserError(
                        f"{path}, line {line}: expected the name of a picture and a text (or a list of texts)"
                    )
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
        plain = self.json(path)
        if _is_karpathys(plain):
            raise UserError(f"{path} holds all splits (Karpathy's form): give it as data.train alone")
        try:
            names = dict[Plain, tuple[int, str]]()
            for row, image in enumerate(plain["images"]):
                if image["id"] in names:
                    raise UserError(f"{path}, image {row}: the id {image['id']} is there twice: expected it once")
                names[image["id"]] = row, str(image["file_name"])
            for annotation in plain["annotations"]:
                row, name = names[annotation["image_id"]]
                yield row, name, only_text(annotation["caption"], f"{path}, image {row}: a caption")
        except (KeyError, TypeError) as error:
            expected = "images with id and file_name, and annotations with image_id and caption"
            raise not_in_form(path, "COCO", error, expected) from None


_READERS: dict[str, Callable[[CaptionFiles, Path], Iterable[Row]]] = {
    ".csv": CaptionFiles._separated,
    ".tsv": CaptionFiles._separated,
    ".jsonl": CaptionFiles._objects,
    ".txt": CaptionFiles._flickrs,
    ".json": CaptionFiles._cocos,
}


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
                    tokens = sentence.get("tokens")
                    joined = " ".join(tokens) if isinstance(tokens, list) else None
                    raw = sentence.get("raw")
                    yield row, name, only_text(joined if raw is None else raw, f"{path}, image {row}: a caption")
        except (KeyError, TypeError, AttributeError) as error:
            expected = "filename, split and sentences with raw"
            raise not_in_form(f"{path}, image {row}", "Karpathy", error, expected) from None
