"""The data of a page's script: tables, each once, charts that name them, and maps of attention."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from markupsafe import Markup

from lightning_seq.files import Plain
from lightning_seq.records.artifacts import read_artifacts
from lightning_seq.records.record import Record
from lightning_seq.report.dashboard.chart_style import Spec
from lightning_seq.report.dashboard.templates import draw
from lightning_seq.report.escape import script_json
from lightning_seq.report.summary import Group, Summary

T = TypeVar("T")
Parts = list[tuple[str, Markup]]
"""The parts of a section with their headings, which may be empty."""


class Card(NamedTuple):
    """A chart under a title. chart: its name on the page; png: a picture above it, in base64; empty for none."""

    title: str
    chart: str
    png: str = ""


class Heading(NamedTuple):
    """The heading of a column that sorts. kind: `text` or `number`; first: the first click sorts `up` or `down`."""

    name: str
    kind: str = "number"
    first: str = "up"


class Cell(NamedTuple):
    """A number in a table: its text, its value for sorting, and a small text below it."""

    text: str
    value: float | None
    below: str = ""


def of_groups(summary: Summary, part: Callable[[Group], Markup]) -> Parts:
    """The part of each data set, under its name if there are several; data sets with an empty part are left out."""
    several = len(summary.groups) > 1
    parts = [(group.title if several else "", part(group)) for group in summary.groups]
    return [(title, body) for title, body in parts if body]


class Page:
    """labels: of all data sets, each once. name: of the comparison, in the names of saved pictures."""

    def __init__(self, labels: Iterable[str] = (), name: str = "") -> None:
        self.labels = list(dict.fromkeys(labels))
        self.name = name
        self.contents: list[tuple[str, str]] = []
        """The address and the title of each section."""
        self.tables: dict[str, Plain] = {}
        self.charts: dict[str, Plain] = {}
        self.maps: dict[str, Plain] = {}
        self.choices = 0
        self._files: Counter[str] = Counter()

    def section(
        self, title: str, anchor: str, parts: Parts | None = None,
        body: Markup | None = None, wrong: Sequence[str] = (), **values: Plain,
    ) -> Markup:  # fmt: skip
        """A section: a body, then parts, then notes on problems (`wrong`); empty without any of them.

        values: of the template `about/<anchor>.html`, the paragraph at the top of the section.
        """
        if not (parts or body or wrong):
            return Markup()
        self.contents.append((anchor, title))
        content = {"body": body or Markup(), "parts": parts or (), "wrong": wrong}
        return draw("section", title=title, anchor=anchor, **content, **values)

    def of_artifacts(
        self, title: str, name: str, read: Callable[[Path], T], runs: list[tuple[Path, Record]], summary: Summary,
        part: Callable[[Page, Group, list[tuple[Record, T]]], Markup], **values: Plain,
    ) -> Markup:  # fmt: skip
        """A section of the artifacts `name` of these runs, with notes on those that cannot be read.

        part: makes HTML of a data set, from its runs and the contents of their artifacts.
        """
        readable, wrong = read_artifacts(runs, name, read)

        def of_group(group: Group) -> Markup:
            mine = [(record, content) for record, content in readable if group.holds(record)]
            return part(self, group, mine) if mine else Markup()

        return self.section(title, name.replace("_", "-"), of_groups(summary, of_group), wrong=wrong, **values)

    def table(
        self, kind: str, columns: Iterable[str], rows: Iterable[Plain], names: Mapping[str, Sequence[str]] | None = None
    ) -> str:
        """Add a data set and return its name; columns in `names` hold positions in a list of names."""
        name = f"{kind}{len(self.tables)}"
        self.tables[name] = {"columns": list(columns), "rows": list(rows), "names": dict(names or {})}
        return name

    def chart(
        self, spec: Spec, title: str = "", choice: Mapping[str, Spec] | None = None, lines: bool = False, **data: str
    ) -> str:
        """Add a chart and return its name.

        title:  heading and name of the saved picture; by default the chart's description.
        choice: for each name that the reader may choose, the x encoding that replaces the chart's own.
        lines:  whether the reader may hide labels, smooth their lines and read them; the table has the columns of
                `CurveRow`, and the chart parameters `least` (the least value of a logarithmic axis) and `room` (for
                names at the ends of lines, which come as a data set `ends`).
        data:   names of data sets; that of `table` is the whole chart's.
        """
        name = f"chart{len(self.charts)}"
        title = title or str(spec.get("description", name))
        if "table" in data:
            spec = spec | {"data": {"name": data["table"]}}
        entry = {"spec": spec, **data, "title": title, "file": self._file(title)}
        options = {"choice": dict(choice) if choice else None, "lines": lines}
        self.charts[name] = entry | {option: value for option, value in options.items() if value}
        return name

    def card(
        self, heading: str, spec: Spec, kind: str, columns: Iterable[str], rows: Iterable[Plain],
        names: Mapping[str, Sequence[str]], title: str = "", choice: Mapping[str, Spec] | None = None,
        lines: bool = False,
    ) -> Card:  # fmt: skip
        """Add a data set and the chart of it: `table` and `chart` at once."""
        return Card(heading, self.chart(spec, title, choice, lines, table=self.table(kind, columns, rows, names)))

    def map(self, plain: Plain) -> str:
        """Add maps of attention and return the name under which elements ask for them."""
        name = f"map{len(self.maps)}"
        self.maps[name] = plain
        return name

    def json(self) -> str:
        return script_json({"labels": self.labels, "tables": self.tables, "charts": self.charts, "maps": self.maps})

    def legend(self, labels: Iterable[str]) -> list[tuple[int, str]]:
        """The labels of a legend, each with its place among all labels of the page."""
        return [(self.labels.index(label), label) for label in labels]

    def _file(self, title: str) -> str:
        """A name for a file, in letters that every system takes, of no other chart on the page."""
        plain = re.sub("[^a-z0-9]+", "-", f"{self.name} {title}".lower())[:80].strip("-") or "chart"
        self._files[plain] += 1
        return f"{plain}-{self._files[plain]}" if self._files[plain] > 1 else plain
