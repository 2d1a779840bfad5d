"""The project around the package: its files agree with each other, and `import dfevals` stays light."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import dfevals

ROOT = Path(__file__).resolve().parents[1]
CONDA = {"matplotlib": "matplotlib-base", "seaborn": "seaborn-base"}
HEAVY = ("scipy", "sklearn", "matplotlib", "seaborn", "IPython", "ipywidgets", "anywidget", "jsonschema", "tqdm")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins(requirements: list[str]) -> dict[str, str]:
    """Normal name → bound of requirements such as `lazy_loader>=0.4`."""
    found = {}
    for text in requirements:
        name, bound = re.fullmatch(r"([\w.-]+?)\s*(>=.*)", text).groups()  # type: ignore[union-attr]
        found[re.sub(r"[-_.]+", "-", name).lower()] = bound
    return found


def test_conda_environment_holds_the_dependencies_of_the_project(project: dict[str, Any]) -> None:
    lines = (ROOT / "environment.yml").read_text(encoding="utf-8").splitlines()
    conda = pins([line.strip(" -") for line in lines if re.match(r"  - [\w.-]+>=", line)])
    wanted = pins([*project["dependencies"], *project["optional-dependencies"]["lab"]])
    assert conda == {"python": project["requires-python"], **{CONDA.get(n, n): bound for n, bound in wanted.items()}}


def test_version_is_the_same_everywhere(project: dict[str, Any]) -> None:
    assert project["version"] == dfevals.__version__
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_two_commands_are_the_same_everywhere() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    for command in ("make demo", "make test"):
        assert re.search(rf"^{command}\b", readme, flags=re.MULTILINE)
        assert re.search(rf"^{command}$", script, flags=re.MULTILINE)
    assert "run: .ci/run" in workflow


def test_every_target_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    named = {name for path in texts for name in re.findall(r"\bmake ([a-z-]+)`", path.read_text(encoding="utf-8"))}
    assert named
    assert named <= targets


def test_relative_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_import_is_light() -> None:
    code = f"import sys, dfevals; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists_and_is_listed() -> None:
    assert [name for name in dfevals.__all__ if not hasattr(dfevals, name)] == []
    assert set(dfevals.__all__) <= set(dir(dfevals))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'evaluat'"):
        dfevals.evaluat  # noqa: B018
