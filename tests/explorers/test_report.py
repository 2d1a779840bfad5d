"""The report for a colleague: a page and a notebook, by method and from the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.cli import main
from dfevals.evaluation import Evaluation
from dfevals.exceptions import DfevalsError
from explorers.conftest import HOSTILE, binary_frame


def headings(page: str) -> list[str]:
    return re.findall("<h2>([^<]*)</h2>", page)


def test_a_binary_report_has_what_suits_the_task(binary: Evaluation) -> None:
    page = str(binary.report(by="group", title="Refunds & more"))
    assert headings(page) == [
        "Cohorts, interactive",
        "Metrics by cohort",
        "The models compared",
        "Calibration",
        "Gains and lift",
        "Thresholds",
        "Confusion",
        "Folds",
        "How this was made",
    ]
    assert "<h1>Refunds &amp; more</h1>" in page
    assert ".metrics(by=&#x27;group&#x27;)" in page
    assert page.count("prefers-color-scheme: dark") >= 5
    assert len(page) < 5_000_000
    assert f"{binary.metrics('f1').frame['value'].iloc[0]:.3f}" in page


@pytest.mark.parametrize("name", ["multiclass", "regression", "outcomes"])
def test_other_tasks_have_theirs(name: str, request: pytest.FixtureRequest) -> None:
    ev: Evaluation = request.getfixturevalue(name)
    wanted = {"multiclass": "Confused classes", "regression": "Residuals", "outcomes": "Metrics by cohort"}[name]
    assert wanted in headings(str(ev.report()))


def test_results_and_names_are_sections_in_the_order_given(binary: Evaluation) -> None:
    recall = binary.metrics("recall", by="group")
    page = str(binary.report(sections=["calibration", recall]))
    assert headings(page)[1:3] == ["Calibration", recall.title]
    with pytest.raises(DfevalsError, match="no section 'calibraton'"):
        binary.report(sections=["calibraton"])


def test_a_refused_question_says_why_in_its_place() -> None:
    ev = dfevals.evaluate(binary_frame(200), y_true="label", y_score="p_good", pos_label="yes")
    page = str(ev.report(sections=["metrics", "residuals"]))
    assert headings(page)[1:3] == ["Metrics by cohort", "Residuals"]
    assert "Residuals are for numbers; this evaluation is binary." in page


def test_hostile_texts_reach_no_markup(tmp_path: Path) -> None:
    frame = binary_frame(400).rename(columns={"group": HOSTILE[1]})
    frame[HOSTILE[1]] = np.resize(np.array(HOSTILE, dtype=object), len(frame))
    ev = dfevals.evaluate(frame, y_true="label", y_score={HOSTILE[0]: "p_good"}, pos_label="yes")
    page = str(ev.report(sections=["metrics"], by=HOSTILE[1], title=HOSTILE[0]))
    for text in ("<img src=x", "<script>window"):
        assert text not in page


def test_a_notebook_runs_where_its_rows_are_beside_it(binary: Evaluation, tmp_path: Path) -> None:
    path = binary.to_notebook(tmp_path / "a.ipynb", ["metrics", "confusion"], by="group", data="rows.parquet")
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    known: dict[str, Any] = {}
    text = {"metrics": "", "confusion": ""}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "plot" not in cell.source:
            source = cell.source.replace("'rows.parquet'", repr(str(tmp_path / "rows.parquet")))
            exec(source.removesuffix("\nresult"), known)  # noqa: S102 - the notebook's own cells
            for name in text:
                if f".{name}(" in source:
                    text[name] = cell.outputs[0].data["text/plain"]
                    assert known["result"].table().to_text() == text[name]
    assert all(text.values())


def test_rows_stay_at_home_unless_asked_for(binary: Evaluation, tmp_path: Path) -> None:
    written = json.loads(binary.to_notebook(tmp_path / "a.ipynb", ["metrics"]).read_text("utf-8"))
    assert "df = ..." in written["cells"][1]["source"]
    assert [path.name for path in tmp_path.iterdir()] == ["a.ipynb"]


def test_the_command_line_writes_both(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = binary_frame(500).assign(label=lambda f: np.where(f["label"] == "yes", 1, 0))
    frame.to_csv(tmp_path / "data.csv", index=False)
    roles = ["--y-true", "label", "--y-score", "good=p_good", "bad=p_bad", "--pos-label", "1", "--by", "group"]
    for name in ("report.html", "report.ipynb"):
        out = str(tmp_path / name)
        assert main(["report", str(tmp_path / "data.csv"), *roles, "--sections", "metrics", "-o", out]) == 0
        assert Path(out).stat().st_size > 5_000
    page = (tmp_path / "report.html").read_text("utf-8")
    expected = dfevals.evaluate(
        pd.read_csv(tmp_path / "data.csv"), y_true="label", y_score={"good": "p_good"}, pos_label=1
    )
    assert f"{expected.metrics('recall').frame['value'].iloc[0]:.3f}" in page
    assert main(["report", str(tmp_path / "none.csv"), *roles, "-o", str(tmp_path / "x.html")]) == 3
    assert "none.csv" in capsys.readouterr().err
