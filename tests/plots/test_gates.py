"""What charts of gates hold, read from their artists."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.colors import to_hex

import dfevals
from dfevals import Gate
from dfevals.exceptions import DfevalsError
from dfevals.plots import alt_text, style


@pytest.fixture(scope="module")
def gate() -> Any:
    adult = dfevals.datasets.load("adult")
    ev = adult.evals(y_true="income", y_score={"gbm": "p_gbm", "logistic": "p_logistic"}, pos_label=">50K")
    rules = [Gate("recall", ">=", 0.62), Gate("accuracy", vs="baseline", margin=0.005)]
    return ev.gate(rules, model="gbm", baseline="logistic", by="race")


@pytest.mark.parametrize("dark", [False, True])
def test_every_rule_has_its_rows_limit_and_answers(gate: Any, dark: bool) -> None:
    axes = gate.plot(dark=dark)
    assert len(axes) == 2
    for at, ax in enumerate(axes):
        frame = gate.frame[gate.frame["rule_index"] == at]
        assert [t.get_text() for t in ax.get_yticklabels()] == frame["race"].tolist()
        limits = [line for line in ax.lines if line.get_gid() == "limit"]
        assert [line.get_xdata()[0] for line in limits] == frame["limit"].unique().tolist()
        points = [line for line in ax.lines if line.get_marker() in ("o", "D")]
        assert [line.get_xdata()[0] for line in points] == frame["value"].tolist()
        shades = {"pass": style.color(ax, 2), "fail": style.color(ax, 1), "inconclusive": style.ink(ax)[1]}
        assert [to_hex(line.get_color()).upper() for line in points] == [shades[a].upper() for a in frame["answer"]]
        words = [t.get_text().split()[-1] for t in ax.texts if t.get_text()[0] in "✓✗?"]
        assert words == frame["answer"].tolist()
    assert axes[1].get_xlabel().startswith("difference in accuracy to baseline")
    assert "Fails: Black 0.564" in alt_text(axes[0])


def test_one_rule_by_place_or_text_and_a_wrong_one(gate: Any) -> None:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots()
    assert gate.plot(1, ax=ax) is ax
    assert gate.plot("recall >= 0.62").get_title(loc="left") == "recall >= 0.62"
    with pytest.raises(DfevalsError, match=r"Did you mean 'recall >= 0\.62'"):
        gate.plot("recall >= 0.6")
    with pytest.raises(DfevalsError, match="each has its own axes"):
        gate.plot(ax=ax)


def test_rows_that_pass_are_the_first_to_be_left_out(gate: Any) -> None:
    ax = gate.plot(0, limit=3)
    shown = [t.get_text() for t in ax.get_yticklabels()]
    assert "Black" in shown
    assert "White" not in shown
    assert ax.get_title(loc="left").endswith("(first 3 of 6)")
