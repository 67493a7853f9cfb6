"""The files for contributors: one version, links that lead somewhere, forms and workflows that are well-formed."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/adding-a-stage.md", "docs/architecture.md"]


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def test_one_version_everywhere() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert newest is not None and newest[1] == version


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_to_files_lead_somewhere(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", read(name))
    missing = [t for t in targets if not t.startswith("https://") and not ((ROOT / name).parent / t).exists()]
    assert missing == []


def test_every_verb_of_the_makefile_is_explained() -> None:
    phony = re.search(r"^\.PHONY: (.*)$", read("Makefile"), flags=re.MULTILINE)
    assert phony is not None
    named = set(re.findall(r"`make ([\w-]+)`", read("CONTRIBUTING.md")))
    assert named == set(phony[1].split())


def test_paths_that_contributing_names_exist() -> None:
    names = re.findall(r"`((?:nlpipe|tests|docs|pipelines|benchmarks|data)/[\w./-]*)`", read("CONTRIBUTING.md"))
    assert len(names) > 8
    assert [name for name in names if not (ROOT / name).exists()] == []


def test_modules_of_the_changelog_exist_where_it_says() -> None:
    table = read("CHANGELOG.md").partition("### Modules that moved")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| `nlpipe")]
    assert len(rows) > 15
    for row in rows:
        package = ""
        for written in re.findall(r"`([\w.]+)`", row[2]):
            name = package + written if written.startswith(".") else written
            package = name.rpartition(".")[0]
            assert importlib.util.find_spec(name) is not None, name


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_issue_forms_have_what_the_host_requires(path: Path) -> None:
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert form["name"] and form["description"]
    identifiers = [part["id"] for part in form["body"]]
    assert len(set(identifiers)) == len(identifiers) > 0
    for part in form["body"]:
        assert part["type"] in {"textarea", "input", "dropdown", "checkboxes"}
        assert part["attributes"]["label"]


def test_the_workflow_runs_what_contributors_run() -> None:
    workflow = yaml.safe_load(read(".github/workflows/ci.yml"))
    jobs = workflow["jobs"].values()
    assert {step["run"] for job in jobs for step in job["steps"] if "run" in step} == {".ci/run", "make test"}
    supported = [job["strategy"]["matrix"]["python"] for job in jobs if "strategy" in job]
    assert supported == [["3.11", "3.12", "3.13"]]
