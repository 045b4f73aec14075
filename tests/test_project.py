"""What holds the project together besides its code: version, citation, changelog, workflows, distributions."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import lightning_seq

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, HATCH = PYPROJECT["project"], PYPROJECT["tool"]["hatch"]
WORKFLOWS = {
    path.stem: yaml.safe_load(path.read_text(encoding="utf-8")) for path in (ROOT / ".github/workflows").glob("*.yml")
}
SECTIONS = ["Breaking", "Added", "Changed", "Fixed"]


def hatchling(*words: str, cwd: Path = ROOT) -> str:
    command = [sys.executable, "-m", "hatchling", *words]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_targets(text: str) -> list[str]:
    return re.findall(r"^make (\S+)$", text, re.MULTILINE)


def commands(workflow: str) -> Iterator[str]:
    for job in WORKFLOWS[workflow]["jobs"].values():
        yield from (step["run"] for step in job.get("steps", ()) if "run" in step)


def test_the_version_has_one_place() -> None:
    assert "version" not in PROJECT
    assert hatchling("version") == lightning_seq.__version__


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"] == lightning_seq.__name__
    assert citation["version"] == lightning_seq.__version__
    assert citation["license"] == PROJECT["license"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["keywords"] == PROJECT["keywords"]


def test_the_changelog_begins_with_this_version_and_names_breaking_changes_first() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+)\.(\d+)\.(\d+)\b", text, re.MULTILINE)
    assert ".".join(versions[0]) == lightning_seq.__version__
    numbers = [tuple(map(int, version)) for version in versions]
    assert numbers == sorted(set(numbers), reverse=True)
    for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        titles = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert titles == [title for title in SECTIONS if title in titles]
        assert not re.search(r"^- ", part.split("### ")[0], re.MULTILINE), "an entry is under no section"


def test_the_workflow_of_tests_runs_what_ci_runs() -> None:
    targets = make_targets("\n".join(commands("test")))
    assert targets == ["test", "test-all"]
    assert targets == make_targets((ROOT / ".ci/run").read_text(encoding="utf-8"))
    assert set(targets) <= set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def test_every_supported_python_is_tested() -> None:
    tested = WORKFLOWS["test"]["jobs"]["test"]["strategy"]["matrix"]["python"]
    named = [name.split(" :: ")[-1] for name in PROJECT["classifiers"] if "Python :: 3." in name]
    assert tested == named
    minors = [int(version.removeprefix("3.")) for version in tested]
    assert PROJECT["requires-python"] == f">=3.{minors[0]},<3.{minors[-1] + 1}"
    assert minors == list(range(minors[0], minors[-1] + 1))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_job_ends_in_time_and_needs_jobs_that_exist(name: str) -> None:
    jobs: dict[str, Any] = WORKFLOWS[name]["jobs"]
    for job in jobs.values():
        needs = job.get("needs", [])
        assert {needs} <= set(jobs) if isinstance(needs, str) else set(needs) <= set(jobs)
        if (called := job.get("uses")) is not None:
            assert (ROOT / called).is_file()
        else:
            assert job["timeout-minutes"] <= 90


def test_a_release_has_the_notes_of_its_version(tmp_path: Path) -> None:
    (line,) = [line for run in commands("release") for line in run.splitlines() if line.startswith("awk ")]
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (today)\n\n- new\n\n## 1.1.0\n\n- old\n")
    for tag, notes in [("v1.2.0", ["", "- new", ""]), ("v1.1.0", ["", "- old"]), ("v1.1", [])]:
        environment = {"GITHUB_REF_NAME": tag, "PATH": "/usr/bin:/bin"}
        subprocess.run(["bash", "-c", line], cwd=tmp_path, env=environment, check=True)
        assert (tmp_path / "notes.md").read_text().splitlines() == notes


def test_every_file_that_pyproject_names_exists() -> None:
    wheel = HATCH["build"]["targets"]["wheel"]
    named = [PROJECT["readme"], *PROJECT["license-files"], HATCH["version"]["path"], wheel["hooks"]["custom"]["path"]]
    named += [*wheel["packages"], *wheel["force-include"]]
    assert [name for name in named if not (ROOT / name.strip("/")).exists()] == []


def test_every_requirement_of_make_is_pinned() -> None:
    asked = [*PYPROJECT["build-system"]["requires"], *PROJECT["dependencies"], *PROJECT["optional-dependencies"]["dev"]]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    assert {re.split(r"[<>=\[]", name)[0].lower() for name in asked} - pinned == set()


@pytest.mark.slow
def test_a_wheel_can_be_built_from_the_source_distribution(tmp_path: Path) -> None:
    hatchling("build", "-t", "sdist", "-d", str(tmp_path))
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    source = tmp_path / f"lightning_seq-{lightning_seq.__version__}"
    assert [name for name in tracked("--cached") if not (source / name).is_file()] == []
    assert not list(source.rglob("_fused.*")), "the source distribution holds what was compiled here"

    hatchling("build", "-t", "wheel", "-d", str(tmp_path), cwd=source)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith(f"lightning_seq-{lightning_seq.__version__}-py3-none-")
    files = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in tracked("--cached") if name.startswith("lightning_seq/")} <= files
    assert {f"lightning_seq/{name}" for name in tracked("--cached") if name.startswith("conf/")} <= files
    assert ("lightning_seq/engines/_fused.so" in files) is not wheel.name.endswith("-any.whl")


def test_no_pattern_of_gitignore_matches_a_file_of_the_repository() -> None:
    """hatchling and ruff would pass over it."""
    assert tracked("--cached", "--ignored", "--exclude-standard") == []


def tracked(*options: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("this is not a checkout of git")
    return listed.stdout.splitlines()
