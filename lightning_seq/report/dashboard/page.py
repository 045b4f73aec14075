"""What a page's script gets: tables of data, each once, charts that name them, and maps of attention."""

from __future__ import annotations

import re
from collections import Counter

from lightning_seq.files import Plain
from lightning_seq.report.dashboard import charts
from lightning_seq.report.dashboard.sections import named
from lightning_seq.report.escape import script_json


class Page:
    """labels: of all data sets, each once. name: of the comparison, which saved pictures are named by."""

    def __init__(self, labels: list[str], name: str = "") -> None:
        self.labels = labels
        self.name = name
        self.tables: dict[str, Plain] = {}
        self.charts: dict[str, Plain] = {}
        self.maps: dict[str, Plain] = {}
        self._choices = 0
        self._files: Counter[str] = Counter()

    def table(self, kind: str, columns: list[str], rows: list[Plain], names: dict[str, list[str]] | None = None) -> str:
        """Add a data set and return its name; columns in `names` hold positions in a list of names."""
        name = f"{kind}{len(self.tables)}"
        self.tables[name] = {"columns": columns, "rows": rows, "names": names or {}}
        return name

    def chart(
        self, spec: charts.Spec, title: str = "", choice: dict[str, charts.Spec] | None = None, **data: str
    ) -> str:
        """Add a chart and return the element it is drawn into, with the button that saves it as a picture.

        title:  what the saved picture is headed and named by; the chart's description where it is empty.
        choice: for each name that `choice` may offer, the x encoding that takes the place of the chart's own.
        """
        name = f"chart{len(self.charts)}"
        title = title or str(spec.get("description", name))
        entry = {"spec": spec, **data, "title": title, "file": self._file(title)}
        self.charts[name] = entry | ({"choice": choice} if choice else {})
        return (
            f'<div class="chart" data-chart="{name}"></div>'
            f'<button type="button" class="save" data-chart="{name}" hidden>Save as SVG</button>'
        )

    def choice(self, names: list[str], chosen: str = "epoch") -> str:
        """A choice of what the charts beside it are drawn against, where there is one."""
        if len(names) < 2:
            return ""
        self._choices += 1
        radios = "".join(
            f'<label><input type="radio" name="against{self._choices}" value="{name}"'
            f"{' checked' if name == chosen else ''}> {name}</label>"
            for name in names
        )
        return f'<fieldset class="against"><legend>against</legend>{radios}</fieldset>'

    def map(self, plain: Plain) -> str:
        """Add maps of attention and return the name under which elements ask for them."""
        name = f"map{len(self.maps)}"
        self.maps[name] = plain
        return name

    def json(self) -> str:
        return script_json({"labels": self.labels, "tables": self.tables, "charts": self.charts, "maps": self.maps})

    def legend(self, labels: list[str]) -> str:
        """Buttons that highlight a label in the charts beside them."""
        buttons = "".join(
            f'<button type="button" data-label="{self.labels.index(label)}" aria-pressed="false" '
            f'style="--c:var(--c{index % charts.PALETTE})">{named(index, label)}</button>'
            for index, label in enumerate(labels)
        )
        return f'<div class="legend" role="group" aria-label="Highlight a label">{buttons}</div>'

    def _file(self, title: str) -> str:
        """A name for a file, in letters that every system takes, of no other chart on the page."""
        plain = _plain(f"{self.name} {title}")
        self._files[plain] += 1
        return f"{plain}-{self._files[plain]}" if self._files[plain] > 1 else plain


def _plain(text: str) -> str:
    return re.sub("[^a-z0-9]+", "-", text.lower())[:80].strip("-") or "chart"
