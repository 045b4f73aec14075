"""How translators are shown: charts by length and place, examples side by side, what is broken or attacks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lightning_seq.files import sha256
from lightning_seq.records.record import Record, read, runs_in, write
from lightning_seq.records.translation import Translation
from lightning_seq.report import tables
from lightning_seq.report.curves import metrics_to_draw
from lightning_seq.report.dashboard.dashboard import dashboard
from lightning_seq.report.formats import mean_and_std
from lightning_seq.report.headline import conventions
from lightning_seq.report.summary import summarise
from tests.report.browser import CHROMIUM, look
from tests.report.made_run import rewrite
from tests.report.page import ATTACKS, Page
from tests.report.printed import printed

Make = Callable[..., Path]


def rows(page: Page, kind: str) -> list[dict[str, object]]:
    (table,) = [table for name, table in page.data["tables"].items() if name.startswith(kind)]
    names = table["names"]
    return [
        {
            column: names[column][value] if column in names else value
            for column, value in zip(table["columns"], row, strict=True)
        }
        for row in table["rows"]
    ]


def test_bleu_leads_and_is_written_as_people_write_it(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo")
    summary = summarise(directory)
    (group,) = summary.groups
    assert group.shown == (
        "test/bleu",
        "test/chrf",
        "test/exact_match",
        "test/perplexity",
        "test/accuracy",
        "test/loss",
    )
    assert [row.label for row in group.best()] == ["gru-dot"]
    assert metrics_to_draw([record for _, record in runs_in(directory)], "test/bleu")[0] == "val/bleu"
    text = printed(summary)
    assert "test/bleu" in text
    assert re.search(r"gru-dot +34\.2 ± 0\.4 +34\.0 34\.5", text)
    assert "| 54.2 ± 0.4 | 0.020 ± 0.000 |" in tables.markdown(summary)
    page = Page(dashboard(directory))
    assert "34.2 ± 0.4" in page.text
    assert "34.250" not in page.text


def test_exact_matches_lead_where_they_were_watched(make_translation: Make, tmp_path: Path) -> None:
    (group,) = summarise(make_translation(tmp_path / "demo", monitor="val/exact_match", data="dates")).groups
    assert group.shown[:2] == ("test/exact_match", "test/bleu")
    assert mean_and_std(group.rows[2].metric("test/exact_match"), "test/exact_match") == "0.020 ± 0.000"


def test_chrf_leads_where_it_chose_the_weights(make_translation: Make, tmp_path: Path) -> None:
    """A run selects by chrF if its texts are too short for BLEU."""
    directory = make_translation(tmp_path / "demo", monitor="auto", data="dates")
    for run, record in runs_in(directory):
        write(run, record.with_(selected_by="val/chrf"))
    (group,) = summarise(directory).groups
    assert group.headline == "test/chrf"


def test_what_bleu_is_stands_below_the_table_with_its_signature() -> None:
    run = Record("done", "demo", "gru", 1, task="sequence_to_sequence", signatures={"bleu": "nrefs:1|tok:13a"})
    bleu, chrf = conventions([run], ["test/bleu", "test/chrf"])
    assert bleu == "test/bleu: corpus BLEU, 0 to 100, by sacreBLEU (nrefs:1|tok:13a)."
    assert chrf == "test/chrf: corpus chrF, 0 to 100, by sacreBLEU."


def test_a_file_is_read_whole(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", labels=("gru-dot",), seeds=1, known=True)
    held = Translation.read(directory / "gru-dot-seed1" / "translation.json")
    assert [(bucket.name, bucket.first, bucket.last, bucket.n) for bucket in held.buckets] == [
        ("short", 3, 9, 333),
        ("middle", 10, 16, 333),
        ("long", 17, 38, 333),
    ]
    assert held.positions[1] == (pytest.approx(0.685), 967)
    assert (held.beam, held.and_later) == (5, False)
    assert (held.alignment_error_rate, held.attention_entropy) == (0.4, 1.5)
    assert [example.exact for example in held.examples] == [False, False, True, False, False, True]
    empty = tmp_path / "translation.json"
    empty.write_text('{"alignment_error_rate": null}')
    assert Translation.read(empty).buckets == ()
    assert Translation.read(empty).alignment_error_rate is None


def test_charts_have_the_means_over_seeds(make_translation: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_translation(tmp_path / "demo")))
    lengths = rows(page, "length")
    assert len(lengths) == 3 * 3
    first = {"label": "gru-fixed", "length": "short (3–9)", "bleu": 25.75, "sd": 0.354, "seeds": 2, "n": 333}
    assert lengths[0] == first
    places = rows(page, "position")
    assert {row["label"] for row in places} == {"gru-fixed", "gru-additive", "gru-dot"}
    assert [row["position"] for row in places if row["label"] == "gru-dot"] == list(range(1, 31))
    assert places[1]["accuracy"] == pytest.approx(0.685)
    specs = [entry["spec"]["description"] for entry in page.data["charts"].values()]
    assert [text for text in specs if text.startswith(("BLEU by", "Token accuracy"))] == [
        "BLEU by length of the source, one colour per label",
        "Token accuracy by place in the target, one colour per label",
    ]


def test_places_with_few_tokens_are_left_out_and_the_last_may_take_later_ones(
    make_translation: Make, tmp_path: Path
) -> None:
    directory = make_translation(tmp_path / "demo", labels=("gru-dot",), seeds=1)
    path = directory / "gru-dot-seed1" / "translation.json"
    plain = json.loads(path.read_text())
    plain["by_position"] = {"accuracy": [0.5, None, 0.25, 0.75], "n": [90, 0, 19, 20], "and_later": True}
    rewrite(directory, "gru-dot-seed1", "translation", json.dumps(plain))
    places = rows(Page(dashboard(directory)), "position")
    assert [(row["place"], row["accuracy"]) for row in places] == [("1", 0.5), ("4 and later", 0.75)]
    plain["by_position"] = {"accuracy": [0.5, 0.25], "n": [3, 2]}
    rewrite(directory, "gru-dot-seed1", "translation", json.dumps(plain))
    assert [row["place"] for row in rows(Page(dashboard(directory)), "position")] == ["1"]


def test_the_table_has_what_is_known_and_facts_say_how_it_was_scored(make_translation: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_translation(tmp_path / "demo")))
    assert "BLEU short (3–9) BLEU middle (10–16) BLEU long (17–38) attention entropy" in page.text
    assert "alignment error rate" not in page.text
    assert "gru-additive 32.0 ± 0.4 28.0 ± 0.4 22.0 ± 0.4 1.300 ± 0.000" in page.text
    assert "BLEU: nrefs:1|case:lc|tok:none. chrF: nrefs:1|case:lc|nc:6. Beam: 5." in page.text
    page = Page(dashboard(make_translation(tmp_path / "dates", known=True, data="dates")))
    assert "gru-additive 32.0 ± 0.4 28.0 ± 0.4 22.0 ± 0.4 0.300 ± 0.000 1.300 ± 0.000" in page.text


def test_what_was_scored_otherwise_is_said_with_its_labels(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", labels=("a", "b"), seeds=1)
    path = directory / "b-seed1" / "translation.json"
    rewrite(directory, "b-seed1", "translation", json.dumps({**json.loads(path.read_text()), "beam": 1}))
    assert "Beam: 5 (a); 1 (b)." in Page(dashboard(directory)).text


def test_examples_stand_side_by_side_the_worst_first(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo")
    text = dashboard(directory)
    numbers = re.findall(r'<p class="note">row (\d+) of the test split</p><dl', text)
    assert numbers == ["100", "101", "103", "104", "102", "105"]  # 102 and 105 are exact
    first = re.search(r'row 100 of the test split</p><dl class="versions">(.*?)</dl>', text).group(1)
    titles = [re.sub("<[^>]*>", "", title) for title in re.findall(r"<dt>(.*?)</dt>", first)]
    assert titles == ["source", "reference", "gru-fixed", "gru-additive", "gru-dot"]
    assert "loss 4.000" in first
    assert "loss 3.600" in first
    assert "exact" not in first
    assert re.search(
        r'row 102 of [^<]*</p>.*?<dd class=said dir="auto">at first God made heaven &lt;eos&gt; 2 <small>exact',
        text,
    )


def test_words_that_the_reference_has_not_there_are_marked(make_translation: Make, tmp_path: Path) -> None:
    directory = make_translation(tmp_path / "demo", labels=("gru-dot",), seeds=1)
    entry = {"id": 1, "source": "s", "reference": "the old cat sat", "hypothesis": "the <b> dog sat sat", "loss": None}
    empty = {**entry, "id": 2, "hypothesis": ""}
    rewrite(directory, "gru-dot-seed1", "translation", json.dumps({"examples": [entry, empty]}))
    text = dashboard(directory)
    assert 'the <span class="other">&lt;b&gt; dog</span> sat <span class="other">sat</span></dd>' in text
    assert "<i>nothing</i>" in text
    assert "loss" not in re.search(r"<dl.*?</dl>", text).group()


def test_sentences_are_no_classes(make_translation: Make, tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as sheets

    directory = make_translation(tmp_path / "demo", labels=("gru-dot",), seeds=1)
    run = directory / "gru-dot-seed1"
    sheets.write_table(pa.table({"target": ["one", "two"], "prediction": ["one", "one"]}), run / "predictions.parquet")
    record = read(run)
    entry = {"path": "predictions.parquet", "sha256": sha256(run / "predictions.parquet")}
    write(run, record.with_(artifacts={**record.artifacts, "predictions": entry}))
    assert "Confusion matrices" not in Page(dashboard(directory)).text


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("translation", ""),
        ("translation", "[]"),
        ("translation", '{"by_length": [{"bucket": "huge", "from": 1, "to": 2, "n": 3, "bleu": 4}]}'),
        ("translation", '{"by_position": {"accuracy": [0.5], "n": []}}'),
        ("translation", '{"examples": [{"id": 1, "source": "a"}]}'),
        ("attention", "null"),
        ("attention", '{"sentences": [{"source": ["a"], "maps": [{"epoch": 1, "target": ["b"], "weights": []}]}]}'),
        (
            "attention",
            '{"sentences": [{"source": ["a"], "maps": [{"epoch": 1, "target": ["b"], "weights": [[1, 0]]}]}]}',
        ),
    ],
)
def test_a_broken_file_is_a_note_and_the_others_are_shown(
    make_translation: Make, tmp_path: Path, name: str, broken: str
) -> None:
    directory = make_translation(tmp_path / "demo", labels=("a", "b"), seeds=1)
    rewrite(directory, "a-seed1", name, broken)
    page = Page(dashboard(directory))
    assert f"a, seed 1: {name}.json cannot be used" in page.text
    shown = {row["label"] for row in rows(page, "length")}
    assert shown == ({"b"} if name == "translation" else {"a", "b"})
    (held,) = page.data["maps"].values()
    labels = [each["label"] for each in held["sentences"][0]["maps"]]
    assert labels == (["b"] if name == "attention" else ["a", "b"])


def test_without_artifacts_there_are_the_tables_alone(make_translation: Make, tmp_path: Path) -> None:
    page = Page(dashboard(make_translation(tmp_path / "demo", artifacts={})))
    for title in ("Translation", "Attention"):
        assert title not in [word.strip() for word in page.words]
    assert page.data["maps"] == {}
    directory = make_translation(tmp_path / "gone", labels=("gru-dot",), seeds=1)
    (directory / "gru-dot-seed1" / "attention.json").unlink()
    assert "gru-dot, seed 1: attention.json is missing" in Page(dashboard(directory)).text


def test_forty_runs_with_long_maps_stay_under_three_megabytes(make_translation: Make, tmp_path: Path) -> None:
    words = tuple(f"word{index}" for index in range(40))
    labels = tuple(f"cell=gru,attention=variant{index}" for index in range(40))
    directory = make_translation(
        tmp_path / "demo", labels, seeds=1, epochs=5, source=words, target=words, sentences=4, examples=60
    )
    assert len(dashboard(directory).encode()) < 3_000_000


@pytest.fixture(scope="module")
def attacked(make_translation: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Translators in which sentences, tokens, labels, signatures and data sets attack the page."""
    return make_translation(
        tmp_path_factory.mktemp("runs") / "demo",
        labels=ATTACKS,
        seeds=1,
        source=ATTACKS,
        target=ATTACKS[::-1],
        data=ATTACKS[0],
        signatures=ATTACKS[:2],
    )


def test_strings_from_data_become_no_elements(attacked: Path) -> None:
    text = dashboard(attacked)
    page = Page(text)
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert {"img", "svg onload", "b"} & {tag for tag, _ in page.elements} == set()
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    for attack in ATTACKS[:3]:
        assert page.text.count(attack) >= 8
        assert attack not in text
    assert "<" not in page.scripts[0]


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_draws_maps_and_runs_no_script_from_their_tokens(attacked: Path, tmp_path: Path) -> None:
    source = dashboard(attacked)
    page = tmp_path / "page.html"
    page.write_text(re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source), encoding="utf-8")
    document = look(page)
    assert "<title>owned" not in document
    assert f'data-drawn="{len(Page(source).data["charts"])}"' in document
    assert f'data-maps="{len(ATTACKS)}"' in document  # of the first sentence, the second is folded away
