"""What a page's script gets: tables of data, each once, charts that name them, and maps of attention."""

from __future__ import annotations

from lightning_seq.files import Plain
from lightning_seq.report import charts
from lightning_seq.report.escape import script_json
from lightning_seq.report.sections import named


class Page:
    """labels: of all data sets, each once."""

    def __init__(self, labels: list[str]) -> None:
        self.labels = labels
        self.tables: dict[str, Plain] = {}
        self.charts: dict[str, Plain] = {}
        self.maps: dict[str, Plain] = {}

    def table(self, kind: str, columns: list[str], rows: list[Plain], names: dict[str, list[str]] | None = None) -> str:
        """Add a data set and return its name; columns in `names` hold positions in a list of names."""
        name = f"{kind}{len(self.tables)}"
        self.tables[name] = {"columns": columns, "rows": rows, "names": names or {}}
        return name

    def chart(self, spec: charts.Spec, **data: str) -> str:
        """Add a chart and return the element it is drawn into."""
        name = f"chart{len(self.charts)}"
        self.charts[name] = {"spec": spec, **data}
        return f'<div class="chart" data-chart="{name}"></div>'

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
