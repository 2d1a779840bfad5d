"""Committed notebooks: executed in order, without errors, machine paths or widget state; `make notebooks` compares outputs."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def test_there_is_a_quickstart() -> None:
    assert (ROOT / "notebooks" / "01_quickstart.ipynb") in NOTEBOOKS


def test_is_executed_once_from_top_to_bottom(notebook: Any) -> None:
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))


def test_holds_no_errors_unless_it_says_so(notebook: Any) -> None:
    errors = [
        output["evalue"]
        for cell in code_cells(notebook)
        if "raises-exception" not in cell.metadata.get("tags", [])
        for output in cell.outputs
        if output.output_type == "error"
    ]
    assert errors == []


def test_warns_about_nothing(notebook: Any) -> None:
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    assert [output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"] == []


def test_holds_no_widget_state_and_no_paths_of_a_machine(notebook: Any) -> None:
    assert "widgets" not in notebook.metadata
    text = nbformat.writes(notebook)
    assert re.findall(r"(?:/home/|/root/|/Users/|/tmp/|site-packages)[^\s\"\\]*", text) == []


def test_every_plot_shows_a_picture(notebook: Any) -> None:
    blind = [
        cell.source
        for cell in code_cells(notebook)
        if re.search(r"\.plot\(|--plot", cell.source)
        and not any("image/png" in output.get("data", {}) for output in cell.outputs)
    ]
    assert blind == []


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("demo", ROOT / "scripts" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_demo_prints_the_table_of_cohorts(demo: ModuleType) -> None:
    text = demo.tagged_text(nbformat.read(demo.NOTEBOOK, as_version=4), demo.TABLE)
    assert text.startswith("Metrics by race")
    assert "Black" in text


def test_the_page_of_the_demo_asks_nothing_from_elsewhere(demo: ModuleType) -> None:
    text = demo.page(nbformat.read(demo.NOTEBOOK, as_version=4))
    assert "Quickstart" in text
    assert "<script" not in text
    assert re.findall(r"(?:src|href)=\"(?!data:|#)[^\"]*\"", text) == []
    assert re.findall(r"@import|url\((?!\"?data:)[^)]*\)", text) == []
