"""What an explorer leaves behind: a page to send away, and the copy beside the widget, both alive without a kernel."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.explorers import copies
from dfevals.explorers.travel import DEPENDS, packed, travelling
from explorers import hosts
from explorers.conftest import HOSTILE, binary_frame


def read(page: str) -> dict[str, Any]:
    """What travels in a page."""
    found = re.search(r'id="dfe-data">([A-Za-z0-9+/=]*)</script>', page)
    assert found is not None
    return dict(json.loads(zlib.decompress(base64.b64decode(found[1]))))


def test_a_page_carries_the_counts_of_every_model_and_the_rows_on_view(binary: Evaluation) -> None:
    explorer = binary.explore(by="group", metric="recall", selection={"cohort": ["east"]})
    copy = read(str(explorer.to_html()))
    asked = [answer["ask"] for answer in copy["answers"]]
    assert asked.count("counts") == 2
    assert copy["state"] == explorer.state
    assert copy["left_out"] == []
    rows = next(answer["answer"] for answer in copy["answers"] if answer["ask"] == "rows")
    assert rows["total"] == len(explorer.selection)
    tabs = {
        dict(zip(DEPENDS["ranking"], a["at"], strict=True))["view"] for a in copy["answers"] if a["ask"] == "ranking"
    }
    assert tabs == {"roc", "pr", "gains", "calibration"}


def test_rows_stay_at_home_when_asked(binary: Evaluation) -> None:
    explorer = binary.explore(by="group", tags={"1": "mine"})
    page = str(explorer.to_html(rows=False))
    copy = read(page)
    assert all(answer["ask"] not in ("rows", "text") for answer in copy["answers"])
    assert copy["state"]["tags"] == {}
    assert "Über-Größe" not in json.dumps(copy, ensure_ascii=False)


def test_what_is_too_large_is_left_out_by_name(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dfevals.explorers.travel.MOST_BYTES", 20_000)
    explorer = binary.explore(by="group")
    copy = travelling(explorer._view, explorer.state, every=True)
    assert copy["answers"][0]["ask"] == "counts"
    assert "model bad" in copy["left_out"]
    assert sum(len(packed(answer)) for answer in copy["answers"]) <= 20_000


def test_a_million_rows_and_a_hundred_cohorts_are_two_megabytes_at_most() -> None:
    frame = pd.concat([binary_frame(100_000)] * 10, ignore_index=True)
    frame["site"] = frame.index % 100
    ev = dfevals.evaluate(frame, y_true="label", y_score={"good": "p_good", "bad": "p_bad"}, pos_label="yes")
    assert len(str(ev.explore(by="site").to_html())) < 2_000_000


def test_hostile_texts_reach_neither_markup_nor_script(tmp_path: Path) -> None:
    frame = binary_frame(300)
    frame["group"] = [HOSTILE[i % len(HOSTILE)] for i in range(300)]
    ev = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes", cohorts=["group"])
    page = str(ev.explore(by="group").to_html())
    assert "<img src=x" not in page
    assert "<script>window" not in page
    assert "script-src 'sha256-" in page


def test_a_copy_stands_beside_the_widget_in_a_notebook_alone(
    binary: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, **_: shown.append(bundle))
    explorer = binary.explore(by="group")
    explorer._ipython_display_()
    assert len(shown) == 1
    monkeypatch.setattr("dfevals.explorers.explorer.in_notebook", lambda: True)
    explorer._ipython_display_()
    assert "application/vnd.jupyter.widget-view+json" in shown[1]
    assert shown[2]["text/html"].startswith('<div id="dfe-copy-')
    assert "text/html" in explorer._repr_mimebundle_()[0]


def test_copies_follow_the_state_once_it_rests(binary: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    class Handle:
        def update(self, bundle: dict[str, str], raw: bool) -> None:
            seen.append(bundle["text/html"])

    monkeypatch.setattr("dfevals.explorers.explorer.COPY_RESTS", 0.05)
    explorer = binary.explore(by="group")
    explorer._copies.append(Handle())
    for threshold in (0.2, 0.3, 0.4):
        explorer.state = explorer.state | {"threshold": threshold}
    assert explorer._updating is not None
    explorer._updating.join()
    explorer._worker.join()
    assert len(seen) == 1
    data = re.search(r'page\.start\(box, "([^"]*)"\)', seen[0])
    assert data is not None
    assert json.loads(zlib.decompress(base64.b64decode(data[1])))["state"]["threshold"] == 0.4


# In a browser

X = ".dfe-x"


def _shown(page: Any) -> None:
    page.wait_for_selector(f"{X} .dfe-rows .dfe-rowbox td")


def _recall(frame: pd.DataFrame, threshold: float) -> str:
    known = frame.dropna(subset=["label", "p_good"])
    said = known["p_good"] >= threshold
    return f"{int((said & (known['label'] == 'yes')).sum()):,}"


def _works(page: Any, cells: str) -> None:
    """Threshold by key, a cohort by click, and what needs the kernel."""
    before = page.inner_text(cells)
    page.focus(f"{X} .dfe-scores input[type=range]")
    page.keyboard.press("PageDown")
    page.wait_for_function("([s, t]) => document.querySelector(s) === null || true", arg=[cells, before])
    page.wait_for_timeout(300)
    moved = page.inner_text(cells)
    assert moved != before
    page.click(f"{X} .dfe-cohorts [role=row]:nth-child(3), {X} .dfe-cohorts tbody tr:nth-child(3)")
    page.wait_for_timeout(300)
    assert page.inner_text(cells) != moved
    assert "Needs the kernel" in page.inner_text(f"{X} .dfe-rows")
    assert "A copy without a kernel" in page.inner_text(f"{X} .dfe-header")


@pytest.mark.browser
def test_a_page_sent_away_is_interactive_offline(fresh: Any, binary: Evaluation, tmp_path: Path) -> None:
    frame = binary_frame()
    explorer = binary.explore(by="group", metric="recall", threshold=0.3)
    explorer.to_html(tmp_path / "page.html")
    fresh.goto((tmp_path / "page.html").as_uri())
    _shown(fresh)
    assert _recall(frame, 0.3) in fresh.inner_text(f"{X} .dfe-panel")
    _works(fresh, f"{X} .dfe-panel")
    for tab in ("ROC", "Calibration", "Two models"):
        fresh.click(f"{X} [role=tab]:has-text('{tab}')")
        fresh.wait_for_timeout(200)
    fresh.select_option(f"{X} select[aria-label=model]", "bad")
    fresh.wait_for_timeout(300)
    assert "Needs the kernel" not in fresh.inner_text(f"{X} .dfe-cohorts")
    assert all(url.startswith("file:") for url in fresh.foreign)
    assert fresh.complaints == []


@pytest.mark.browser
def test_hostile_texts_do_nothing_in_a_page_sent_away(fresh: Any, tmp_path: Path) -> None:
    frame = binary_frame(300)
    frame["group"] = [HOSTILE[i % len(HOSTILE)] for i in range(300)]
    ev = dfevals.evaluate(frame, y_true="label", y_score="p_good", pos_label="yes", cohorts=["group"])
    ev.explore(by="group").to_html(tmp_path / "page.html")
    fresh.goto((tmp_path / "page.html").as_uri())
    _shown(fresh)
    assert fresh.evaluate("window.pwned") is None
    assert all(url.startswith("file:") for url in fresh.foreign)


CELL = """import dfevals
df = dfevals.datasets.load("adult").head(5_000)
ex = df.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K").explore(by="sex", metric="recall")
ex"""


@pytest.mark.browser
def test_an_executed_and_exported_notebook_shows_it(fresh: Any, tmp_path: Path) -> None:
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import ExecutePreprocessor

    path = hosts.notebook(tmp_path / "x.ipynb", CELL)
    exporter = HTMLExporter()
    exporter.register_preprocessor(ExecutePreprocessor(timeout=120), enabled=True)
    body, _ = exporter.from_filename(str(path))
    (tmp_path / "x.html").write_text(body, encoding="utf-8")
    fresh.goto((tmp_path / "x.html").as_uri(), wait_until="domcontentloaded")
    _shown(fresh)
    _works(fresh, f"{X} .dfe-panel")


@pytest.mark.browser
def test_a_notebook_opened_again_shows_the_last_state(fresh: Any, base: tuple[str, Path]) -> None:
    hosts.notebook(base[1] / "again.ipynb", hosts.WIDGET, CELL)
    hosts.open_lab(fresh, base[0], "again.ipynb")
    hosts.ready(fresh, lambda: hosts.open_lab(fresh, base[0], "again.ipynb"))
    _shown(fresh)
    fresh.wait_for_timeout(4000)
    assert fresh.locator(X).count() == 1  # the live page alone
    hosts.python(fresh, 'ex.state = ex.state | {"threshold": 0.21}')
    fresh.wait_for_timeout(4000)  # the copy follows once the state rests
    fresh.evaluate(
        """async () => { const w = window.jupyterapp.shell.currentWidget; await w.context.save();
        await w.sessionContext.shutdown(); }"""
    )
    saved = json.loads((base[1] / "again.ipynb").read_text("utf-8"))
    assert len(saved["cells"][1]["outputs"]) == 2
    fresh.goto(f"{base[0]}/lab/tree/again.ipynb?reset", wait_until="domcontentloaded")
    fresh.wait_for_selector(f"[id^=dfe-copy-] {X} .dfe-rows .dfe-rowbox td")
    assert (
        float(
            fresh.input_value(
                f"[id^=dfe-copy-] {X} .dfe-scores input[type=text], [id^=dfe-copy-] {X} .dfe-scores input[type=number]"
            )
        )
        == 0.21
    )
    assert "A copy without a kernel" in fresh.inner_text(f"[id^=dfe-copy-] {X} .dfe-header")


def test_every_kind_of_evaluation_travels(
    binary: Evaluation, multiclass: Evaluation, regression: Evaluation, outcomes: Evaluation
) -> None:
    for ev in (binary, multiclass, regression, outcomes):
        explorer = ev.explore()
        copy = read(str(explorer.to_html()))
        assert {"counts", "rows"} <= {answer["ask"] for answer in copy["answers"]}
        assert copies.page(copy, "").startswith("<!DOCTYPE html>")
