from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lightning_seq.data.sources.embedded import VersesGenre
from lightning_seq.data.sources.verses import verses
from lightning_seq.errors import UserError


def test_the_verses_of_both_versions() -> None:
    for version, first, last in (
        (
            "kjv",
            "In the beginning God created the heaven and the earth.",
            "The grace of our Lord Jesus Christ be with you all. Amen.",
        ),
        (
            "web",
            "In the beginning God created the heavens and the earth.",
            "The grace of the Lord Jesus be with all the saints. Amen.",
        ),
    ):
        found = verses(version)
        assert 31_000 < len(found) < 31_200
        assert found[0].text == first
        assert found[-1].text == last
        assert (found[-1].book, found[-1].chapter, found[-1].verse) == (66, 22, 21)
        assert [verse.id for verse in found] == sorted({verse.id for verse in found})
        assert all(verse.id == verse.book * 1_000_000 + verse.chapter * 1000 + verse.verse for verse in found)
        assert all(verse.text and not set(verse.text) & set("[]¶`\n") for verse in found)


def test_the_packages_are_read_not_run() -> None:
    script = (
        "import sys; from lightning_seq.data.sources.verses import verses; verses('web');"
        "assert not [name for name in sys.modules if name.startswith('pythonbible')]"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parents[2])


def test_no_chapter_is_in_two_splits_and_all_kinds_are_in_each() -> None:
    tables = VersesGenre("kjv", 1).load().tables
    chapters = {split: {number // 1000 for number in table.ids} for split, table in tables.items()}
    assert not chapters["train"] & chapters["validation"]
    assert not chapters["train"] & chapters["test"]
    assert not chapters["validation"] & chapters["test"]
    assert sum(map(len, chapters.values())) == 1189
    for split, share in (("train", 0.8), ("validation", 0.1), ("test", 0.1)):
        assert len(set(tables[split].labels)) == 7
        assert len(chapters[split]) / 1189 == pytest.approx(share, abs=0.01)
    other = VersesGenre("kjv", 2).load().tables
    assert {number // 1000 for number in other["test"].ids} != chapters["test"]
    web = VersesGenre("web", 1).load().tables
    assert {number // 1000 for number in web["test"].ids} == chapters["test"]


def test_kinds_of_book() -> None:
    kinds = {}
    for table in VersesGenre().load().tables.values():
        kinds.update({number // 1_000_000: label for number, label in zip(table.ids, table.labels, strict=True)})
    assert [kinds[book] for book in (1, 5, 6, 17, 18, 22, 23, 39, 40, 43, 44, 45, 65, 66)] == [
        "law", "law", "history", "history", "wisdom", "wisdom", "prophets", "prophets",
        "gospels", "gospels", "acts", "letters", "letters", "prophets",
    ]  # fmt: skip


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(UserError, match=r"'kvj'.*did you mean kjv"):
        VersesGenre("kvj").load()


def test_the_same_text_as_in_the_mirror(mirror: Path) -> None:
    from pyarrow import parquet

    if not (mirror / "pythonbible" / "kjv_web").is_dir():
        pytest.skip("this mirror has no pythonbible/kjv_web")
    ours = {version: {verse.id: verse.text for verse in verses(version)} for version in ("kjv", "web")}
    compared = 0
    for file in (mirror / "pythonbible" / "kjv_web").rglob("*.parquet"):
        for row in parquet.read_table(file).to_pylist():
            for version in ("kjv", "web"):
                # The mirror keeps the brackets of the World English Bible.
                assert ours[version][row["verse_id"]] == row[version].replace("[", "").replace("]", "")
                compared += 1
    assert compared > 62_000
