"""Rows that a gate leaves out: counted by reason in every report, and no pass that they could turn."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from dfevals import Gate, Outcome
from dfevals.analyses.gate.gate_report import GateResult
from dfevals.cli import main
from dfevals.exceptions import MetricError

N, LOST = 600, 40


def classified(seed: int = 0) -> pd.DataFrame:
    """Two models that are right in 90 of 100 rows, with everything that rows need."""
    rng = np.random.default_rng(seed)
    y = rng.random(N) < 0.5
    right = rng.random((2, N)) < 0.9
    frame = pd.DataFrame({"y": y.astype(object), "g": rng.choice(["a", "b"], N), "w": np.ones(N), "c": np.arange(N)})
    frame["c"] = frame["c"].astype(object)
    for name, hit in zip(("cand", "base"), right, strict=True):
        frame[name] = np.where(hit, y, ~y).astype(object)
    return frame


def stacked(frame: pd.DataFrame) -> pd.DataFrame:
    """The same, one row per model."""
    parts = [frame.assign(model=name, ok=(frame[name] == frame["y"]).astype(object)) for name in ("cand", "base")]
    return pd.concat(parts, ignore_index=True)[["model", "ok", "g"]]


WIDE = {"y_true": "y", "y_pred": {"cand": "cand", "base": "base"}}
LONG = {"outcomes": ["ok"], "model": "model"}
ACCURACY, RATE = Gate("accuracy", ">=", 0.8), Gate("pass_rate", ">=", 0.8)
CASES: dict[str, tuple[str, dict[str, Any], Gate, str]] = {
    "labels": ("y", WIDE, ACCURACY, "missing y_true (y)"),
    "predictions of the candidate": ("cand", WIDE, ACCURACY, "missing y_pred (cand)"),
    "weights": ("w", {**WIDE, "sample_weight": "w"}, ACCURACY, "missing sample_weight (w)"),
    "frequencies": (
        "w",
        {**WIDE, "sample_weight": "w", "weight_kind": "frequency"},
        ACCURACY,
        "missing sample_weight (w)",
    ),
    "clusters": ("c", {**WIDE, "cluster": "c"}, ACCURACY, "missing cluster (c)"),
    "outcomes": ("ok", LONG, RATE, "missing outcomes (ok)"),
    "models": ("model", LONG, RATE, "missing model (model)"),
    "releases": ("release", {"outcomes": ["ok"], "release": "release"}, RATE, "missing release (release)"),
}


def lacking(case: str, rows: Any = slice(LOST)) -> tuple[pd.DataFrame, dict[str, Any], Gate, str]:
    """Rows of which some lack a value, the roles, a rule, and the reason that is said."""
    column, roles, rule, reason = CASES[case]
    frame = classified() if "y_true" in roles else stacked(classified())
    if "release" in roles:
        frame = frame[frame["model"] == "cand"].assign(release="1.0").reset_index(drop=True)
    frame.loc[frame.index[rows], column] = None
    return frame, roles, rule, reason


def judged(frame: pd.DataFrame, roles: dict[str, Any], *rules: Gate, **options: Any) -> GateResult:
    model = "cand" if "base" in str(roles) or "model" in roles else None
    return frame.evals(**roles).gate(list(rules), model=model, **options)


def forms(result: GateResult) -> dict[str, str]:
    """Every form of the report."""
    return {
        "text": repr(result),
        "html": result.to_html(),
        "markdown": result.to_markdown().replace("\\_", "_"),
        "json": result.to_json(),
        "junit": result.to_junit(),
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("missing", ["worst", "ignore"])
def test_rows_left_out_are_counted_by_reason_in_every_form(case: str, missing: str) -> None:
    frame, roles, rule, reason = lacking(case)
    result = judged(frame, roles, rule, by="g", missing=missing)
    rows = result.frame.set_index("g")
    assert rows.loc["(overall)", "left_out"] == LOST
    lost = frame.iloc[:LOST]["g"].value_counts()
    assert {name: rows.loc[name, "left_out"] for name in lost.index} == lost.to_dict()
    for form, text in forms(result).items():
        assert reason in text, form
        assert f"{LOST} rows left out" in text or f"{LOST} of" in text, form
        assert ("missing='ignore' takes them" in text.replace("&#x27;", "'").replace("&#39;", "'")) == (
            missing == "ignore" or result.frame["turned"].any()
        ), form
    said = json.loads(result.to_json())
    assert said["missing"] == missing
    assert {"n", "support", "left_out", "turned"} <= set(said["rows"][0])
    suite = ET.fromstring(result.to_junit())
    assert {p.get("name"): p.get("value") for p in suite.iter("property")}["missing"] == missing


@pytest.mark.parametrize("case", CASES)
def test_no_pass_where_the_rows_left_out_could_turn_it(case: str) -> None:
    frame, roles, rule, _ = lacking(case, slice(200))
    worst, ignored = (judged(frame, roles, rule, missing=missing) for missing in ("worst", "ignore"))
    assert (worst.answer, ignored.answer) == ("inconclusive", "pass")
    assert worst.frame["turned"].tolist() == [True]
    assert worst.action.startswith("Hold and find the values of the rows left out")
    few, roles, rule, _ = lacking(case, slice(3))
    assert judged(few, roles, rule).answer == "pass"


@pytest.mark.parametrize(
    "case", ["labels", "predictions of the candidate", "weights", "clusters", "outcomes", "models"]
)
def test_the_same_against_a_baseline(case: str) -> None:
    frame, roles, rule, reason = lacking(case, slice(200))
    against = Gate(rule.metric, vs="base", margin=0.02)
    worst, ignored = (judged(frame, roles, against, missing=missing) for missing in ("worst", "ignore"))
    assert (worst.answer, ignored.answer) == ("inconclusive", "pass")
    assert all(reason in text for text in forms(worst).values())


def test_a_candidate_that_lost_what_it_fails_does_not_pass() -> None:
    frame = classified().assign(base=lambda f: f["y"])
    frame.loc[frame["cand"] != frame["y"], "cand"] = None
    result = judged(frame, WIDE, Gate("accuracy", vs="base", margin=0.01))
    assert result.answer == "inconclusive"
    lost = int(frame["cand"].isna().sum())
    assert all(f"{lost} rows left out" in text for text in forms(result).values())
    long = stacked(classified().assign(base=lambda f: f["y"])).assign(id=np.tile(np.arange(N), 2))
    kept = long[(long["model"] == "base") | (long["ok"] == True)]  # noqa: E712
    against = Gate("pass_rate", vs="base", margin=0.02)
    result = judged(kept, {**LONG, "id": "id"}, against)
    assert result.answer == "inconclusive"
    assert result.frame["left_out"].tolist() == [len(long) - len(kept)]
    assert judged(kept, {**LONG, "id": "id"}, against, missing="ignore").answer == "pass"


def test_verdicts_of_a_tenth_of_the_rows_are_no_pass() -> None:
    frame = pd.DataFrame({"ok": [True] * 30 + [None] * 270})
    row = frame.evals(outcomes=["ok"]).gate(Gate("pass_rate", ">=", 0.7)).frame.iloc[0]
    assert (row["answer"], row["n"], row["support"], row["left_out"]) == ("inconclusive", 300, 30, 270)


@pytest.mark.parametrize("lost", [2, 12, 25, 40, 80])
def test_the_bound_is_that_of_rows_filled_by_hand(lost: int) -> None:
    """Wrong predictions, failed verdicts, and scores at the wrong end, each judged as rows that are there."""
    frame = classified()
    gone = frame.assign(cand=frame["cand"].mask(np.arange(N) < lost))
    wrong = frame.assign(cand=np.where(np.arange(N) < lost, frame["y"] != True, frame["cand"]))  # noqa: E712
    for rule in (
        ACCURACY,
        Gate("recall", ">=", 0.82),
        Gate("mcc", ">=", 0.65),
        Gate("accuracy", vs="base", margin=0.06),
    ):
        assert (judged(gone, WIDE, rule).answer == "pass") == (judged(wrong, WIDE, rule).answer == "pass")
    rng = np.random.default_rng(1)
    y = rng.random(N) < 0.5
    score = np.where(y, rng.beta(4, 2, N), rng.beta(2, 4, N))
    by_hand = np.where(np.arange(N) < lost, ~y, score)
    scored = pd.DataFrame({"y": y, "s": np.where(np.arange(N) < lost, np.nan, score)})
    rule = Gate("roc_auc", ">=", roc_auc_score(y, score) - 0.06)
    full = scored.assign(s=by_hand).evals(y_true="y", y_score="s").gate(rule)
    assert (scored.evals(y_true="y", y_score="s").gate(rule).answer == "pass") == (full.answer == "pass")


def test_what_has_no_range_has_no_worst_value_but_its_quantiles_have() -> None:
    rng = np.random.default_rng(2)
    frame = pd.DataFrame({"t": rng.exponential(1, N)})
    frame.loc[:5, "t"] = np.nan
    ev = frame.evals(outcomes=[Outcome("t", better="lower")])
    result = ev.gate([Gate("t_mean", "<=", 2.0), Gate("t_p50", "<=", 2.0), Gate("t_p50", ">=", 0.2)])
    assert result.frame["answer"].tolist() == ["inconclusive", "pass", "pass"]
    numbers = pd.DataFrame({"y": rng.normal(size=N)}).assign(p=lambda f: f["y"] + rng.normal(0, 0.2, N))
    numbers.loc[:5, "p"] = np.nan
    numbers.loc[6:9, "y"] = np.nan
    unlabelled = numbers[6:].evals(y_true="y", y_pred="p").gate([Gate("mae", "<=", 1.0), Gate("median_ae", "<=", 1.0)])
    assert unlabelled.frame["answer"].tolist() == ["inconclusive", "pass"]
    ev = numbers.evals(y_true="y", y_pred="p")
    result = ev.gate([Gate("mae", "<=", 1.0), Gate("median_ae", "<=", 1.0)])
    assert result.frame["answer"].tolist() == ["inconclusive", "pass"]
    assert result.frame["left_out"].tolist() == [10, 10]


def test_tasks_with_too_few_trials_could_turn_an_answer() -> None:
    """Of 60 tasks that always pass 15 have one trial instead of two: at worst 45 of 60 pass."""
    frame = pd.DataFrame({"task": [*np.repeat(np.arange(45), 2), *range(45, 60)], "ok": True})
    ev = frame.evals(outcomes=["ok"], unit="task")
    result = ev.gate(
        [Gate("pass_hat_k(k=2)", ">=", 0.8), Gate("pass_hat_k(k=2)", ">=", 0.5), Gate("pass_at_k(k=2)", "<=", 1.0)]
    )
    assert result.frame["left_out"].tolist() == [15, 15, 15]
    assert result.frame["answer"].tolist() == ["inconclusive", "pass", "pass"]
    assert "15 of 60 units" in result.to_junit()
    two = pd.concat(
        [
            frame.assign(m="a"),
            pd.DataFrame({"task": np.repeat(np.arange(60), 2), "ok": np.arange(120) % 20 > 0, "m": "b"}),
        ]
    )
    ev = two.evals(outcomes=["ok"], unit="task", model="m")
    rules = [Gate("pass_hat_k(k=2)", vs="b", margin=margin) for margin in (0.2, 0.5)]
    for missing, answers in (("worst", ["inconclusive", "pass"]), ("ignore", ["pass", "pass"])):
        found = ev.gate(rules, model="a", missing=missing).frame
        assert found["left_out"].tolist() == [15, 15]
        assert found["answer"].tolist() == answers


@pytest.mark.parametrize("named", ["index", "id"])
def test_repeats_are_bounded_as_the_rows_that_they_repeat(named: str) -> None:
    rng = np.random.default_rng(4)
    y = rng.random(200) < 0.5
    part = pd.DataFrame({"y": y, "s": np.where(rng.random(200) < 0.9, y, ~y) * 0.8 + 0.1, "row": np.arange(200)})
    frame = pd.concat([part.assign(fold=np.arange(200) % 5, repeat=r) for r in range(4)], ignore_index=True)
    frame.loc[:60, "s"] = np.nan
    frame.loc[70:74, "repeat"] = np.nan
    frame = frame.set_index("row") if named == "index" else frame
    more = {} if named == "index" else {"id": "row"}
    ev = frame.evals(y_true="y", y_score="s", fold="fold", repeat="repeat", **more)
    result = ev.gate([Gate("accuracy", ">=", 0.6), Gate("accuracy", ">=", 0.8), Gate("roc_auc", ">=", 0.6)])
    assert result.frame["left_out"].tolist() == [66, 66, 66]
    assert result.frame["answer"].tolist() == ["pass", "inconclusive", "pass"]


DTYPES = ["boolean", "Int64", "float", "object", "string", "category", "string[pyarrow]", "bool[pyarrow]"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_missing_is_bounded_alike_in_every_dtype(dtype: str) -> None:
    frame = classified()[["y", "cand", "base"]].astype(bool)
    named = "str" in dtype or dtype == "category"
    typed = (frame.replace({True: "yes", False: "no"}) if named else frame).astype(dtype)
    typed.loc[:29, "cand"] = np.nan if dtype == "float" else None
    typed.loc[30:39, "y"] = np.nan if dtype == "float" else None
    roles = {**WIDE, **({"pos_label": "yes"} if named else {})}
    rules = [Gate("accuracy", ">=", limit) for limit in (0.75, 0.8, 0.85, 0.88)]
    wrong = frame.assign(cand=np.where(np.arange(N) < 40, ~frame["y"], frame["cand"]))
    by_hand = [rule for rule in rules if judged(wrong, WIDE, rule).answer == "pass"]
    result = judged(typed, roles, *rules)
    assert result.frame["left_out"].tolist() == [40] * 4
    assert [str(rule) for rule in by_hand] == result.frame.loc[result.frame["answer"] == "pass", "rule"].tolist()
    assert 0 < len(by_hand) < 4


def test_errors_of_an_evaluation_are_not_left_out_of_their_own_rate() -> None:
    frame = pd.DataFrame({"ok": [True] * 295 + [None] * 5})
    result = frame.evals(outcomes=["ok"]).gate(Gate("evaluation_error_rate", "<=", 0.05))
    assert result.answer == "pass"
    assert result.frame["left_out"].tolist() == [0]


def test_no_cohort_worse_than_overall_with_what_is_missing() -> None:
    frame = classified()
    rule = Gate("accuracy", vs="overall", margin=0.12)
    assert judged(frame, WIDE, rule, by="g").answer == "pass"
    frame.loc[frame.index[frame["g"] == "a"][:80], "cand"] = None
    result = judged(frame, WIDE, rule, by="g")
    assert dict(zip(result.frame["g"], result.frame["turned"], strict=True)) == {"a": True, "b": False}


def test_a_pass_at_the_limit_is_as_rare_when_failures_go_missing() -> None:
    """Truth: 80 % pass. Half of the failures, or of the successes, have no verdict."""
    rng, passes = np.random.default_rng(3), 0
    runs = 60
    for run in range(runs):
        ok = rng.random(300) < 0.8
        gone = (ok == bool(run % 2)) & (rng.random(300) < 0.5)
        frame = pd.DataFrame({"ok": np.where(gone, None, ok.astype(object))})
        passes += frame.evals(outcomes=["ok"]).gate(Gate("pass_rate", ">=", 0.8)).answer == "pass"
    assert passes / runs <= 0.025 + 2 * np.sqrt(0.025 * 0.975 / runs)


def test_complete_rows_say_nothing_of_missing_ones() -> None:
    result = judged(classified(), WIDE, ACCURACY, Gate("accuracy", vs="base", margin=0.1))
    assert not result.frame["left_out"].any()
    assert all("left out" not in text for form, text in forms(result).items() if form in ("text", "markdown"))


CONFIG = '{}[roles]\noutcomes = ["ok"]\n[[rules]]\nmetric = "pass_rate"\nop = ">="\nlimit = 0.7\n'


@pytest.mark.parametrize(
    ("head", "options", "status"),
    [
        ("", (), 2),
        ('missing = "ignore"\n', (), 0),
        ('missing = "ignore"\n', ("--missing", "worst"), 2),
        ("", ("--missing", "ignore"), 0),
        ('missing = "ingore"\n', (), 3),
        ("", ("--missing", "none"), 3),
    ],
)
def test_the_switch_in_the_file_and_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: str, options: tuple[str, ...], status: int
) -> None:
    config, table = tmp_path / "gate.toml", tmp_path / "rows.csv"
    config.write_text(CONFIG.format(head))
    table.write_text("id,ok\n" + "".join(f"{i},{'true' if i < 30 else ''}\n" for i in range(300)))
    assert main(["gate", "--config", str(config), str(table), *options]) == status
    out, err = capsys.readouterr()
    assert (
        ("270" in out and "left out" in out)
        if status != 3
        else "Choices: 'worst', 'ignore'" in err or "Did you mean" in err
    )


def test_the_switch_has_two_positions() -> None:
    with pytest.raises(MetricError, match="missing='drop' is not known"):
        judged(classified(), WIDE, ACCURACY, missing="drop")


def test_names_in_junit_are_told_apart_and_not_cut() -> None:
    frame = pd.DataFrame({"y": 1, "p": [1, 0] * 300, "g": ["a", "a\x00", "a\x01"] * 200})
    frame.loc[:5, "y"] = 0
    rules = [
        Gate("accuracy", ">=", 0.8),
        Gate("accuracy", ">=", 0.8, by="g"),
        Gate("accuracy", vs="overall", margin=0.25, by="g"),
    ]
    result = frame.evals(y_true="y", y_pred="p").gate(rules)
    cases = [(c.get("classname"), c.get("name")) for c in ET.fromstring(result.to_junit()).iter("testcase")]
    assert len(set(cases)) == len(cases) == len(result.frame)
    assert all("." not in str(name) for name, _ in cases)


def test_evidence_beside_every_case_in_junit() -> None:
    frame, roles, rule, _ = lacking("outcomes")
    case = next(ET.fromstring(judged(frame, roles, rule).to_junit()).iter("testcase"))
    assert f"left out = {LOST}" in str(case.findtext("system-out"))
