"""Frames that explorers are tried on, and the notebook in a browser that shows them: one server for all tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals.evaluation import Evaluation

HOSTILE = (
    "<img src=x onerror=window.pwned=1>",
    "<script>window.pwned=1</script>",
    "\u202eevil\u2069 שלום",
    "class",
    "`a`' \"b",
)


@pytest.fixture
def binary() -> Evaluation:
    """Two models, missing labels and scores, a numeric and a text cohort, folds, texts."""
    return dfevals.evaluate(
        binary_frame(),
        y_true="label",
        y_score={"good": "p_good", "bad": "p_bad"},
        pos_label="yes",
        fold="fold",
        cohorts=["group"],
    )


def binary_frame(n: int = 3000) -> pd.DataFrame:
    """Rows of a binary task."""
    rng = np.random.default_rng(7)
    y = rng.random(n) < 0.4
    frame = pd.DataFrame(
        {
            "label": np.where(y, "yes", "no"),
            "p_good": np.round(1 / (1 + np.exp(-rng.normal(np.where(y, 1, -1), 1))), 3),
            "p_bad": np.round(1 / (1 + np.exp(-rng.normal(np.where(y, 0.4, -0.4), 1))), 3),
            "group": rng.choice(["north", "south", "east"], n, p=[0.6, 0.35, 0.05]),
            "age": rng.integers(18, 90, n),
            "at": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, n), unit="D"),
            "text": rng.choice(["short note", "a longer note on the refund of an order", "Über-Größe"], n),
            "fold": np.arange(n) % 5,
        },
        index=np.arange(n) * 2 + 5,
    )
    frame.loc[frame.index[3], "label"] = None
    frame.loc[frame.index[[5, 9]], "p_good"] = np.nan
    frame.loc[frame.index[11], "p_bad"] = np.inf
    frame.loc[frame.index[20:60], "group"] = None
    return frame


@pytest.fixture
def multiclass() -> Evaluation:
    """Three classes with a score each."""
    rng = np.random.default_rng(3)
    n = 900
    y = rng.integers(0, 3, n)
    raw = rng.random((n, 3)) + np.eye(3)[y] * 0.8
    p = raw / raw.sum(axis=1, keepdims=True)
    names = np.array(["cat", "dog", "<b>eel</b>"])
    frame = pd.DataFrame({f"p_{name}": p[:, i] for i, name in enumerate(names)})
    frame["animal"], frame["site"] = names[y], rng.choice(["a", "b"], n)
    return dfevals.evaluate(frame, y_true="animal", y_score="p_{label}", cohorts=["site"])


@pytest.fixture
def regression() -> Evaluation:
    """Two models of a number."""
    rng = np.random.default_rng(5)
    n = 800
    y = rng.normal(50, 10, n)
    frame = pd.DataFrame(
        {"y": y, "a": y + rng.normal(1, 2, n), "b": y + rng.normal(0, 5, n), "site": rng.choice(["u", "v"], n)}
    )
    return dfevals.evaluate(frame, y_true="y", y_pred={"a": "a", "b": "b"}, cohorts=["site"])


@pytest.fixture
def outcomes() -> Evaluation:
    """Verdicts and scores of evaluators, with evaluations that failed."""
    rng = np.random.default_rng(6)
    n = 400
    score = np.round(rng.random(n), 3)
    score[:7] = np.nan
    frame = pd.DataFrame(
        {
            "toxicity": score,
            "polite": rng.random(n) < 0.7,
            "intent": rng.choice(["refund", "hello"], n),
            "response": ["text " * 100] * n,
            "call": [{"name": "f", "arguments": {"a": [1, 2]}}] * n,
        }
    )
    return dfevals.evaluate(
        frame, outcomes=[dfevals.Outcome("toxicity", kind="score", better="lower", pass_at=0.3), "polite"]
    )


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address of a Jupyter server, and its folder of notebooks."""
    from explorers import hosts  # needs a browser's driver, which other tests do without

    folder = tmp_path_factory.mktemp("jupyter")
    with hosts.server(folder) as address:
        yield address, folder / "notebooks"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium; none beyond a file of tests, because its driver keeps an event loop running in this thread."""
    from playwright.sync_api import sync_playwright

    from explorers import hosts

    with sync_playwright() as tool:
        found = tool.chromium.launch(executable_path=hosts.chromium(), args=hosts.FLAGS)
        yield found
        found.close()


@pytest.fixture
def fresh(browser: Any) -> Iterator[Any]:
    """A page of its own."""
    from explorers import hosts

    context = browser.new_context(viewport={"width": 1500, "height": 1500})
    yield hosts.watch(context.new_page())
    context.close()


@pytest.fixture(scope="module")
def desk(browser: Any, base: tuple[str, Path]) -> Iterator[Any]:
    """JupyterLab with one notebook, kept open: to load it anew for every test would take most of the time."""
    from explorers import hosts

    context = browser.new_context(viewport={"width": 1500, "height": 1500})
    page = hosts.watch(context.new_page())
    hosts.notebook(base[1] / "desk.ipynb", hosts.WIDGET)
    hosts.open_lab(page, base[0], "desk.ipynb")
    hosts.ready(page, lambda: hosts.open_lab(page, base[0], "desk.ipynb"))
    yield page
    context.close()


@pytest.fixture
def page(desk: Any) -> Any:
    """The open notebook, as if new."""
    from explorers import hosts

    hosts.put(desk, "1 + 1")
    desk.foreign.clear()
    desk.complaints.clear()
    return desk
