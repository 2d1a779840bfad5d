"""Release gates: answers from intervals, error rates, reports, gate files and the command line."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import dfevals
from dfevals import Gate
from dfevals.cli import main
from dfevals.exceptions import DataError, MetricError, ReleaseBlocked, RoleError

EXAMPLE = Path(__file__).parents[1] / "docs" / "examples" / "gate.toml"


def labelled(right: dict[str, tuple[int, int]]) -> pd.DataFrame:
    """Rows of cohorts with a given number of right predictions of positives: {cohort: (right, rows)}."""
    parts = [
        pd.DataFrame({"y": 1, "p": np.repeat([1, 0], [hits, n - hits]), "g": name}) for name, (hits, n) in right.items()
    ]
    negatives = pd.DataFrame({"y": 0, "p": 0, "g": list(right)})
    return pd.concat([*parts, negatives], ignore_index=True)


def gate(right: dict[str, tuple[int, int]], *rules: Gate, **options: object) -> object:
    return labelled(right).evals(y_true="y", y_pred="p").gate(list(rules), **options)


@pytest.mark.parametrize(
    ("hits", "expected"),
    [(950, "pass"), (850, "fail"), (905, "inconclusive"), (895, "inconclusive")],
)
def test_answer_follows_the_whole_interval(hits: int, expected: str) -> None:
    result = gate({"a": (hits, 1000)}, Gate("recall", ">=", 0.9))
    assert result.answer == expected
    assert result.frame["answer"].tolist() == [expected]


def test_the_rows_named_decide_in_four_of_five_cases() -> None:
    """If the value seen is the true one; a third of the rows decide in far fewer."""
    row = gate({"a": (930, 1000)}, Gate("recall", ">=", 0.92)).frame.iloc[0]
    assert row["answer"] == "inconclusive"
    rng, shares = np.random.default_rng(5), []
    for n in (int(row["n_to_decide"]), int(row["n_to_decide"] / 3)):
        right = rng.binomial(n, row["value"], 80)
        shares.append(np.mean([gate({"a": (int(k), n)}, Gate("recall", ">=", 0.92)).answer == "pass" for k in right]))
    assert 0.7 <= shares[0] <= 0.97
    assert shares[1] <= 0.6


def test_no_number_of_rows_is_named_where_only_events_are_too_few() -> None:
    """The interval is off the limit, so "as many rows as there are" would be no advice."""
    scores = pd.DataFrame({"y": [1, 1, 1] + [0] * 200, "p": np.r_[0.99, 0.98, 0.97, np.linspace(0, 0.9, 200)]})
    row = scores.evals(y_true="y", y_score="p").gate(Gate("roc_auc", ">=", 0.5)).frame.iloc[0]
    assert row["ci_low"] > 0.5
    assert "too few" in row["note"]
    assert row["answer"] == "inconclusive"
    assert np.isnan(row["n_to_decide"])


def test_worst_answer_decides_and_the_action_names_the_place() -> None:
    result = gate({"good": (980, 1000), "bad": (600, 1000)}, Gate("recall", ">=", 0.75), by="g")
    assert result.answer == "fail"
    assert dict(zip(result.frame["g"], result.frame["answer"], strict=True)) == {
        "(overall)": "pass",
        "good": "pass",
        "bad": "fail",
    }
    assert result.action.startswith("Narrow to the cohorts that pass (good)")
    with pytest.raises(ReleaseBlocked, match="bad"):
        result.raise_for_status()


def test_intervals_are_corrected_over_the_cohorts() -> None:
    right = {"a": (930, 1000), "b": (930, 1000), "c": (930, 1000)}
    alone = labelled(right).query("g == 'a'").evals(y_true="y", y_pred="p").gate(Gate("recall", ">=", 0.9)).frame
    together = gate(right, Gate("recall", ">=", 0.9), by="g").frame.set_index("g")
    assert together.loc["a", "ci_low"] < alone["ci_low"].item()
    assert together["level"].iloc[0] == pytest.approx(1 - 0.05 / 4)


@pytest.mark.parametrize("cohorts", [1, 20])
def test_error_rates_at_the_limit(cohorts: int) -> None:
    """At the limit neither pass nor fail may be claimed of any cohort more often than the level allows."""
    rng = np.random.default_rng(7)
    runs, n, limit = 150, 200, 0.8
    passed = failed = 0
    names = [f"g{i:02d}" for i in range(cohorts)]
    for _ in range(runs):
        right = {name: (int(k), n) for name, k in zip(names, rng.binomial(n, limit, cohorts), strict=True)}
        answers = gate(right, Gate("recall", ">=", limit), by="g").frame["answer"]
        passed += (answers == "pass").any()
        failed += (answers == "fail").any()
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert passed / runs <= allowed
    assert failed / runs <= allowed


def test_comparison_with_the_baseline_is_a_margin() -> None:
    frame = dfevals.datasets.load("adult")
    roles = {"y_true": "income", "y_score": {"gbm": "p_gbm", "logistic": "p_logistic"}, "pos_label": ">50K"}
    ev = frame.evals(**roles)
    better = ev.gate(Gate("accuracy", vs="baseline", margin=0.01), model="gbm", baseline="logistic")
    worse = ev.gate(Gate("accuracy", vs="baseline", margin=0.01), model="logistic", baseline="gbm")
    assert (better.answer, worse.answer) == ("pass", "fail")
    lenient = ev.gate(Gate("accuracy", vs="gbm", margin=0.05), model="logistic")
    assert lenient.answer == "pass"
    low_is_good = ev.gate(Gate("log_loss", vs="baseline", margin=0.0), model="logistic", baseline="gbm")
    assert low_is_good.answer == "fail"


def test_no_cohort_worse_than_overall() -> None:
    result = gate({"good": (900, 1000), "bad": (700, 1000)}, Gate("recall", vs="overall", margin=0.05), by="g")
    assert dict(zip(result.frame["g"], result.frame["answer"], strict=True)) == {"good": "pass", "bad": "fail"}


def test_outcomes_of_models_in_long_frames() -> None:
    frame = dfevals.datasets.load("refchecker")
    ev = frame.evals(**dfevals.datasets.describe("refchecker").roles)
    result = ev.gate(Gate("fail_rate", "<=", 0.5), model="gpt4", by="setting")
    answers = dict(zip(result.frame["setting"], result.frame["answer"], strict=True))
    assert answers["accurate_context"] == "pass"
    assert answers["zero_context"] == "inconclusive"


def test_reports_say_the_same(tmp_path: Path) -> None:
    result = gate({"<b>x</b>": (300, 1000), "ok": (990, 1000)}, Gate("recall", ">=", 0.9), by="g")
    table = json.loads(result.to_json(tmp_path / "gate.json"))
    assert table["answer"] == "fail"
    assert len(table["rows"]) == 3
    suite = ET.fromstring(result.to_junit(tmp_path / "gate.xml"))
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "2", "0")
    page = result.to_html()
    assert "<b>x</b>" not in page
    assert "✗ fail" in page
    assert "✗ fail" in result.to_markdown()
    assert "✗ fail" in repr(result)


def test_names_in_junit_show_what_turns_the_direction_of_text() -> None:
    result = gate({"safe\u202etxt": (990, 1000)}, Gate("recall", ">=", 0.9), by="g")
    assert 'name="g=safe⟨U+202E⟩txt"' in result.to_junit()


def test_cohorts_in_brackets_are_named() -> None:
    frame = pd.DataFrame({"intent": ["(none)", "(overall)", "(all)", "x"] * 60, "ok": [True, False, True, True] * 60})
    result = frame.evals(outcomes=["ok"]).gate(Gate("pass_rate", ">=", 0.5), by="intent")
    assert result.action == (
        'Narrow to the cohorts that pass ("(all)", (none), x); fails: pass_rate >= 0.5 for "(overall)".'
    )
    names = [case.get("name") for case in ET.fromstring(result.to_junit()).iter("testcase")]
    assert names == ["overall", 'intent="(all)"', "intent=(none)", 'intent="(overall)"', "intent=x"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Gate("recall"), "needs either a limit"),
        (lambda: Gate("recall", ">=", 0.9, vs="baseline"), "needs either a limit"),
        (lambda: Gate("recall", ">", 0.9), "op='>'"),
        (lambda: Gate("recall", ">=", float("nan")), "not a finite number"),
        (lambda: Gate("recall", vs="baseline", margin=-1), "is negative"),
    ],
)
def test_rules_that_mean_nothing(make: object, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        make()  # type: ignore[operator]


def test_errors_name_the_fix() -> None:
    with pytest.raises(MetricError, match="Give at least one"):
        gate({"a": (9, 10)})
    with pytest.raises(RoleError, match="needs a baseline"):
        gate({"a": (9, 10)}, Gate("recall", vs="baseline"))
    with pytest.raises(RoleError, match="no model 'x'"):
        gate({"a": (9, 10)}, Gate("recall", ">=", 0.1), model="x")
    with pytest.raises(MetricError, match="no better direction"):
        gate({"a": (9, 10)}, Gate("selection_rate", vs="overall"), by="g")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "predictions.csv"
    columns = ["income", "p_gbm", "p_logistic", "sex", "age"]
    dfevals.datasets.load("adult")[columns].to_csv(path, index=False)
    return path


def test_example_file_runs_from_the_command_line(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["gate", "--config", str(EXAMPLE), str(table), "--junit", str(tmp_path / "gate.xml")])
    assert status == 0
    assert "Release gate for gbm against logistic" in capsys.readouterr().out
    assert ET.parse(tmp_path / "gate.xml").getroot().get("failures") == "0"


@pytest.mark.parametrize(
    ("old", "new", "status"), [("limit = 0.5", "limit = 0.9", 1), ("limit = 0.5", "limit = 0.655", 1)]
)
def test_exit_status_of_a_gate_that_fails(table: Path, tmp_path: Path, old: str, new: str, status: int) -> None:
    config = tmp_path / "gate.toml"
    config.write_text(EXAMPLE.read_text().replace(old, new, 1))
    assert main(["gate", "--config", str(config), str(table)]) == status


def test_exit_status_of_an_open_gate(table: Path, tmp_path: Path) -> None:
    config = tmp_path / "gate.toml"
    head = '[roles]\ny_true = "income"\ny_score = "p_gbm"\npos_label = ">50K"\n'
    config.write_text(head + '[[rules]]\nmetric = "recall"\nop = ">="\nlimit = 0.655\n')
    assert main(["gate", "--config", str(config), str(table)]) == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[rules]]\nmetric = 'recall'\nopp = '>='\nlimit = 1", "unknown key 'opp'"),
        ("levle = 0.9\n[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 1", "unknown key 'levle'"),
        ("[roles]\ny_ture = 'y'\n[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 1", "no role 'y_ture'"),
        ("[roles]\n", "has no rules"),
        ("[[rules", "not valid TOML"),
        ("level = 'high'\n[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 1", "level = 'high' must be a number"),
        ("roles = 3\n[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 1", "roles = 3 must be a table"),
        ("by = 3\n[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 1", "by = 3 must be a column"),
        ("[[rules]]\nmetric = 3\nop = '>='\nlimit = 1", "metric = 3 must be a text"),
        ("[[rules]]\nmetric = 'recall'\nop = '>='\nlimit = 'x'", "limit = 'x' must be a number"),
        ("rules = [3]", "rule 1: 3 is not a table"),
    ],
)
def test_files_that_cannot_be_read(
    tmp_path: Path, table: Path, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gate.toml"
    config.write_text(text)
    assert main(["gate", "--config", str(config), str(table)]) == 3
    assert message in capsys.readouterr().err


def test_missing_files_are_usage_errors(tmp_path: Path, table: Path) -> None:
    assert main(["gate", "--config", str(tmp_path / "none.toml"), str(table)]) == 3
    assert main(["gate", "--config", str(EXAMPLE), str(tmp_path / "none.csv")]) == 3
    with pytest.raises(DataError, match="no file"):
        dfevals.evaluate(str(tmp_path / "none.csv"))


def test_whatever_goes_wrong_does_not_look_like_a_gate_that_fails(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"no parquet at all")
    assert main(["gate", "--config", str(EXAMPLE), str(broken)]) == 3
    assert main(["gate", "--config", str(EXAMPLE), str(table), "--junit", str(tmp_path / "no" / "x.xml")]) == 3
    assert capsys.readouterr().err.count("dfevals: ") == 2


def test_several_files_are_one_table(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = pd.read_csv(table)
    parts = [tmp_path / "1.csv", tmp_path / "2.parquet"]
    whole[:20_000].to_csv(parts[0], index=False)
    whole[20_000:].to_parquet(parts[1])
    shown = []
    for files in ([table], parts):
        assert main(["gate", "--config", str(EXAMPLE), *map(str, files)]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]


@pytest.mark.parametrize("name", ["<b>&\"'x", "a\x00\x0b\ufffe", "]]>", "|`*[x](javascript:1)"])
def test_hostile_cohort_names_are_escaped_in_every_report(name: str) -> None:
    result = gate({name: (300, 1000), "ok": (990, 1000)}, Gate("recall", ">=", 0.9), by="g")
    suite = ET.fromstring(result.to_junit())
    assert len(suite.findall("testcase")) == 3
    assert json.loads(result.to_json())["rows"][1]["g"] in (name, "ok")
    assert "<b>&" not in result.to_html()
    assert "[x](javascript" not in result.to_markdown()
    assert "<b>" not in result.to_markdown()


def test_the_table_wraps_its_texts_and_has_notes_only_where_there_are_some() -> None:
    long = Gate("accuracy", vs="overall", margin=0.05)
    table = gate({"a customer with a long name": (900, 1000), "b": (990, 1000)}, long, by="g").table()  # type: ignore[attr-defined]
    assert [column.label for column in table.columns if not column.wrap] == ["n"]
    assert "note" not in [column.label for column in table.columns]
    few = gate({"a": (2, 3)}, Gate("recall", ">=", 0.9)).table()  # type: ignore[attr-defined]
    assert [column.label for column in few.columns][-1] == "note"
