"""The dashboard: whole, self-contained, and deaf to what data tries to say to a browser."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from lightning_seq.errors import UserError
from lightning_seq.record import read, write
from lightning_seq.report.dashboard import dashboard
from lightning_seq.report.verdict import ONE_SEED
from lightning_seq.report.write import is_current, write_report
from tests.report.browser import CHROMIUM, look

Make = Callable[..., Path]

ATTACKS = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"'><svg onload=document.title='owned'>",
    "<!--<script>\u2028`${document.title='owned'}`",
)


class Page(HTMLParser):
    """The elements and the texts of a page, as a browser without scripts would see them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._inside = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    @property
    def data(self) -> dict:
        return json.loads(self.scripts[0])


def hostile(make_comparison: Make, directory: Path) -> Path:
    """A comparison in which every string that may come from data attacks the page."""
    make_comparison(
        directory, labels=ATTACKS, seeds=2, classes=ATTACKS, words=ATTACKS, failed=((ATTACKS[0], 2),), error=ATTACKS[1]
    )
    for path in directory.glob("*/record.json"):
        record = read(path)
        write(
            path.parent,
            record.with_(
                name=ATTACKS[0],
                task=ATTACKS[1],
                model=ATTACKS[2],
                data=ATTACKS[3],
                engine=ATTACKS[0],
                overrides=list(ATTACKS),
                config={ATTACKS[0]: {ATTACKS[1]: ATTACKS[2]}, "list": list(ATTACKS)},
                environment={ATTACKS[0]: ATTACKS[1] + str(record.seed)},
                fingerprints={"data": ATTACKS[2], "split": ATTACKS[1] + str(record.seed)},
                embedding={"kind": ATTACKS[3], "size": ATTACKS[0]},
                metrics={f"test/{ATTACKS[0]}": 0.5, **record.metrics} if record.metrics else {},
                started=ATTACKS[1],
                finished=ATTACKS[2],
            ),
        )
    return directory


@pytest.fixture(scope="module")
def attacked(make_comparison: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hostile(make_comparison, tmp_path_factory.mktemp("runs") / "a & <b>comparison")


def test_every_piece_is_on_the_page(make_comparison: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_comparison(tmp_path / "demo", failed=(("birnn", 3),))))
    for title in (
        "Verdict",
        "Comparison",
        "Quality against cost",
        "Learning curves",
        "Confusion matrices",
        "Word vectors",
        "What did not finish",
        "Equal conditions",
        "Configuration of each run",
    ):
        assert title in page.text
    assert re.search(r"Highest mean test/accuracy: gru with 0\.\d{3} ± 0\.\d{3} over 3 seeds", page.text)
    assert "RuntimeError: loss is not finite at step 120" in page.text
    assert len(page.data["charts"]) == 3 + 3 + 4 + 1
    links = {attributes["href"] for tag, attributes in page.elements if tag == "a"}
    assert {"./gru-seed1/config.yaml", "./gru-seed1/log.txt", "./gru-seed1/metrics.csv"} <= links
    ids = {f"#{attributes['id']}" for _, attributes in page.elements if "id" in attributes}
    assert all(target in ids or (tmp_path / "demo" / str(target)).is_file() for target in links)


def test_the_page_asks_nobody_for_anything(make_comparison: Make, tmp_path: Path) -> None:
    text = dashboard(make_comparison(tmp_path / "demo"))
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag not in ("link", "iframe", "img", "base", "form")
        assert "src" not in attributes
        assert not str(attributes.get("href", "./")).startswith(("http", "//"))
    policy = next(attributes["content"] for tag, attributes in page.elements if "http-equiv" in attributes)
    assert "default-src 'none'" in str(policy)
    assert "viewport" in {attributes.get("name") for tag, attributes in page.elements if tag == "meta"}
    assert "prefers-color-scheme: dark" in text


def test_each_data_set_is_there_once_and_each_chart_finds_its_own(make_comparison: Make, tmp_path: Path) -> None:
    data = Page(dashboard(make_comparison(tmp_path / "demo"))).data
    used = [entry[kind] for entry in data["charts"].values() for kind in ("table", "words", "arrows") if kind in entry]
    assert set(used) == set(data["tables"])
    specs = [json.dumps(entry["spec"]) for entry in data["charts"].values()]
    assert not [spec for spec in specs if '"data": {"values"' in spec or "datasets" in spec]
    bodies = [json.dumps(table) for table in data["tables"].values()]
    assert len(bodies) == len(set(bodies))


def test_strings_from_data_become_no_elements_and_leave_no_script(attacked: Path) -> None:
    text = dashboard(attacked)
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert {"img", "svg onload"} & {tag for tag, _ in page.elements} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert all(attack in page.data["labels"] for attack in ATTACKS)
    assert "\u2028" not in page.scripts[0]
    assert "<" not in page.scripts[0]
    for attack in ATTACKS[:3]:
        assert attack in page.text
        assert attack not in text


def test_no_expression_is_made_of_data(attacked: Path) -> None:
    """Vega compiles filters, tests and calculations: a name from data must not get into one."""
    compiled = []

    def walk(value: object, key: str = "") -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, name)
        elif isinstance(value, list):
            for item in value:
                walk(item, key)
        elif key in ("filter", "test", "expr", "calculate", "signal", "href", "url"):
            compiled.append(str(value))

    for entry in Page(dashboard(attacked)).data["charts"].values():
        walk(entry["spec"])
    assert compiled
    assert not [text for text in compiled if "owned" in text]


def test_forty_runs_stay_under_three_megabytes(make_comparison: Make, tmp_path: Path) -> None:
    labels = tuple(f"model=recurrent,cell=variant{index},num_layers=2" for index in range(14))
    directory = make_comparison(tmp_path / "demo", labels=labels, epochs=30, steps_per_epoch=50)
    assert len(dashboard(directory).encode()) < 3_000_000


def test_missing_pieces_leave_their_section_out(make_comparison: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_comparison(tmp_path / "demo", artifacts={}, curves={}, config={}, environment={})))
    assert "Confusion matrices" not in page.text
    assert "Word vectors" not in page.text
    assert "What did not finish" not in page.text
    assert "No run has recorded a curve yet" in page.text
    assert [entry["title"].rpartition(" against ")[2] for entry in page.data["charts"].values()] == [
        "parameters",
        "recurrent parameters",
        "tokens/s",
    ]


def test_a_changed_artifact_is_left_out_with_a_note(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    (directory / "rnn-seed1" / "predictions.parquet").write_bytes(b"changed")
    (directory / "rnn-seed1" / "config.yaml").unlink()
    page = Page(dashboard(directory))
    assert "rnn, seed 1: predictions.parquet has changed since the run ended" in page.text
    assert "rnn, seed 1: config.yaml is missing" in page.text
    assert not [entry for entry in page.data["charts"].values() if entry.get("table", "").startswith("confusion")]


def test_nothing_finished_says_so(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, failed=(("rnn", 1),))
    assert "No run is done yet" in Page(dashboard(directory)).text


def test_one_seed_says_that_nothing_can_be_concluded(make_comparison: Make, tmp_path: Path) -> None:
    text = Page(dashboard(make_comparison(tmp_path / "demo", seeds=1))).text
    assert "from one seed." in text
    assert f"Verdict {ONE_SEED}" in text
    assert text.count("nothing can be concluded") == 1


def test_unequal_splits_are_told_plainly(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn", "gru"), seeds=1)
    record = read(directory / "gru-seed1")
    write(directory / "gru-seed1", record.with_(fingerprints={**record.fingerprints, "split": "another"}))
    text = Page(dashboard(directory)).text
    assert re.search(r"split train, validation and test split no 0d93bb1c5e02f7a4 rnn seed 1 another gru seed 1", text)


def test_the_report_is_four_files_and_a_second_one_replaces_them(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    summary = write_report(directory)
    assert summary.groups[0].labels == ["rnn"]
    names = {path.name for path in directory.iterdir() if path.is_file()}
    assert names == {"table.md", "table.csv", "table.tex", "dashboard.html"}
    (directory / "table.md").write_text("old")
    write_report(directory)
    assert (directory / "table.md").read_text().startswith("# demo")


def test_a_report_of_nothing_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no run"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_draws_every_chart_and_runs_no_script_from_data(attacked: Path, tmp_path: Path) -> None:
    source = dashboard(attacked)
    charts = len(Page(source).data["charts"])
    # Without the policy, so that escaping alone has to hold.
    unguarded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    for name, text in (("guarded", source), ("unguarded", unguarded)):
        page = tmp_path / f"{name}.html"
        page.write_text(text, encoding="utf-8")
        document = look(page)
        drawn = Page(document)
        assert "<title>owned" not in document
        assert "could not be drawn" not in drawn.text
        assert f'data-drawn="{charts}"' in document
        marks = [
            attributes for tag, attributes in drawn.elements if tag == "svg" and attributes.get("class") == "marks"
        ]
        assert len(marks) == charts
        roles = Counter(attributes.get("aria-roledescription") for _, attributes in drawn.elements)
        runs, means = 2 * len(ATTACKS), len(ATTACKS) - 1
        fronts = 3
        assert roles["line mark"] == 3 * (runs + means) + fronts
        assert roles["area mark"] == 3 * means
        assert roles["rect mark"] == len(ATTACKS) * len(ATTACKS) ** 2
        assert roles["text mark"] > roles["rect mark"]
        assert roles["rule mark"] == 2 + 3 * 2 * len(ATTACKS)  # arrows between words, bars


def curve_charts(data: dict) -> list[dict]:
    return [entry for entry in data["charts"].values() if "choice" in entry]


@pytest.mark.parametrize(("epochs", "ticks"), [(3, [1, 2, 3]), (10, [1, 3, 5, 7, 9]), (30, [1, 6, 11, 16, 21, 26])])
def test_epochs_are_counted_whole(make_language: Make, tmp_path: Path, epochs: int, ticks: list[int]) -> None:
    data = Page(dashboard(make_language(tmp_path / "demo", labels=("rnn",), seeds=1, epochs=epochs))).data
    choice = curve_charts(data)[0]["choice"]
    assert choice["epoch"]["axis"]["values"] == ticks
    assert list(choice) == ["step", "epoch", "seconds"]


def test_a_run_of_one_epoch_has_axes_around_its_point(make_comparison: Make, tmp_path: Path) -> None:
    data = Page(dashboard(make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1, epochs=1))).data
    chart = curve_charts(data)[0]
    table = data["tables"][chart["table"]]
    value = table["rows"][0][table["columns"].index("value")]
    low, high = chart["spec"]["layer"][0]["encoding"]["y"]["scale"]["domain"]
    assert low < value < high


@pytest.fixture(scope="module")
def attacked_texts(make_language: Make, make_tagging: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Language models and taggers in which prompts, texts, symbols, tags, tokens and data sets attack the page."""
    directory = tmp_path_factory.mktemp("runs") / "texts"
    sentence = {"id": ATTACKS[0], "tokens": list(ATTACKS), "target": list(ATTACKS[::-1]), "prediction": list(ATTACKS)}
    make_language(directory, labels=ATTACKS[:2], level="character", prompt=ATTACKS[0], words=ATTACKS, data=ATTACKS[2])
    make_tagging(
        directory, labels=ATTACKS[2:], tags=ATTACKS, sentences=(sentence,), spans=False, data=ATTACKS[1], parquet=False
    )
    return directory


def test_texts_symbols_tags_and_tokens_become_no_elements(attacked_texts: Path) -> None:
    text = dashboard(attacked_texts)
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert {"img", "svg onload"} & {tag for tag, _ in page.elements} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for section in ("Samples", "Worst sentences", "Classes", "Confusion matrices"):
        assert section in page.text
    for attack in ATTACKS[:3]:
        assert page.text.count(attack) >= 8
        assert attack not in text


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_shows_several_data_sets_and_runs_no_script_from_their_texts(
    attacked_texts: Path, tmp_path: Path
) -> None:
    source = dashboard(attacked_texts)
    page = tmp_path / "page.html"
    page.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source), encoding="utf-8")
    document = look(page)
    drawn = Page(document)
    assert "<title>owned" not in document
    assert "could not be drawn" not in drawn.text
    assert f'data-drawn="{len(Page(source).data["charts"])}"' in document
    roles = Counter(attributes.get("aria-roledescription") for _, attributes in drawn.elements)
    assert roles["rect mark"] == 2 * len(ATTACKS) ** 2


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_legend_highlights_in_its_own_data_set_alone(make_language: Make, make_music: Make, tmp_path: Path) -> None:
    directory = make_music(make_language(tmp_path / "demo", labels=("rnn", "gru"), seeds=1), labels=("tanh", "lstm"))
    page = tmp_path / "page.html"
    page.write_text(dashboard(directory), encoding="utf-8")
    drawn = Page(look(page, "document.querySelectorAll('#curves .legend button')[2].click()"))
    pressed = [attributes["aria-pressed"] for tag, attributes in drawn.elements if "aria-pressed" in attributes]
    costs = ["false", "false"]  # music has none
    assert pressed == [*costs, "false", "false", "true", "false"]
    faint = Counter(
        attributes.get("opacity")
        for _, attributes in drawn.elements
        if attributes.get("aria-roledescription") == "line mark"
    )
    music, language = 2, 3
    assert faint["0.06"] == music * 2  # both seeds of lstm
    assert faint["0.5"] == music * 2 + language * 2


def test_numbers_and_bits_have_no_confusion_matrix(make_comparison: Make, tmp_path: Path) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=1)
    assert 'id="confusion"' in dashboard(directory)
    for path in directory.glob("*/record.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | {"task": "regression"}), encoding="utf-8")
    assert 'id="confusion"' not in dashboard(directory)


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ((0.25, 0.75), {"7.0", "143.0"}),
        ((0.5, 0.5), {"75.0"}),
        ((4503599627370498.0, 4503599627370498.0), {"75.0"}),  # 0.5 more is the same number
        ((5e-324, 1e-323), {"75.0"}),
        ((-1e149, 1e149), {"7.0", "143.0"}),
        ((0.5, 1e200), {"75.0"}),  # as good as infinite
    ],
)
def test_dots_of_any_numbers_lie_in_the_strip(
    make_comparison: Make, tmp_path: Path, values: tuple[float, float], places: set[str]
) -> None:
    directory = make_comparison(tmp_path / "demo", labels=("rnn",), seeds=2)
    for path, value in zip(sorted(directory.glob("*/record.json")), values, strict=True):
        record = json.loads(path.read_text(encoding="utf-8"))
        path.write_text(json.dumps(record | {"metrics": {"test/accuracy": value}}), encoding="utf-8")
    dots = [attributes["cx"] for tag, attributes in Page(dashboard(directory)).elements if tag == "circle"]
    assert set(dots) == places


def test_a_report_is_current_until_a_record_changes(
    make_comparison: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a command that has nothing to do draws nothing again."""
    directory = make_comparison(tmp_path / "demo", labels=("lstm", "gru"))
    assert not is_current(directory)
    write_report(directory)
    assert is_current(directory)
    kept = (directory / "table.csv").read_text(encoding="utf-8")
    (directory / "table.csv").unlink()
    assert not is_current(directory)
    (directory / "table.csv").write_text(kept, encoding="utf-8")
    assert is_current(directory)
    with monkeypatch.context() as patched:
        patched.setattr("lightning_seq.report.stamp.version", lambda _: "9")
        assert not is_current(directory)
    write(directory / "lstm-seed1", read(directory / "lstm-seed1").with_(status="failed"))
    assert not is_current(directory)
    write_report(directory)
    assert is_current(directory)
    shutil.rmtree(directory / "gru-seed1")
    assert not is_current(directory)
    write_report(directory)
    (directory / "lstm-seed1").rename(directory / "moved")
    assert not is_current(directory)
    (directory / "moved" / "record.json").unlink()
    assert not is_current(directory)
