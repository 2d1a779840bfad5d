"""`python -m dfevals`: what it prints and how it ends."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

import dfevals
from dfevals.cli import USAGE_ERROR, main


def test_version_of_the_module() -> None:
    done = subprocess.run([sys.executable, "-m", "dfevals", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"dfevals {dfevals.__version__}\n"


def test_metrics_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == dfevals.metrics.table()["name"].tolist()


def test_metrics_of_one_task(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["metrics", "--task", "regression"]) == 0
    listed = {line.split()[0] for line in capsys.readouterr().out.splitlines()}
    assert "rmse" in listed
    assert "recall" not in listed


def test_datasets_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["datasets"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in dfevals.datasets.list()["name"])
    assert main(["datasets", "adult"]) == 0
    assert "CC BY 4.0" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["metrics", "--task", "regresion"], "Tasks: binary"), (["datasets", "adlt"], "Did you mean 'adult'")],
)
def test_wrong_data_is_a_message_and_a_status(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == USAGE_ERROR
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["metricks"], ["metrics", "--colour"]])
def test_wrong_usage_is_a_message_and_a_status(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE_ERROR
    assert "usage:" in capsys.readouterr().err


GATE = '[roles]\ny_true = "y"\ny_score = "p"\npos_label = 1\n[[rules]]\nmetric = "recall"\nop = ">="\nlimit = 0.5\n'


def gate(tmp_path: Path, *more: str, config: str | bytes = GATE, data: bytes = b"y,p\n" + b"0,.1\n1,.9\n" * 50) -> int:
    (tmp_path / "gate.toml").write_bytes(config.encode() if isinstance(config, str) else config)
    (tmp_path / "data.csv").write_bytes(data)
    return main(["gate", "--config", str(tmp_path / "gate.toml"), str(tmp_path / "data.csv"), *more])


@pytest.mark.parametrize("data", [b"", b"y,p\n1,2\n1,2,3\n", bytes(range(256)) * 4])
def test_a_gate_on_data_that_cannot_be_read_is_no_fail(
    tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(tmp_path, data=data) == USAGE_ERROR
    assert capsys.readouterr().err.startswith("dfevals: Cannot read '")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (GATE.encode() + b"\xff", "is not UTF-8 text"),
        ("rules = [1]\n", "1 is not a table"),
        (
            "roles = 3\nrules = [{metric = 'recall', op = '>=', limit = 0.5}]\n",
            "roles = 3 must be a table, below [roles]",
        ),
        ("level = 'x'\n" + GATE, "level = 'x' must be a number"),
        ("by = 3\n" + GATE, "by = 3 must be a column, a list"),
        (GATE.replace("pos_label = 1", "labels = 3"), "labels=3 must be a list"),
        (GATE.replace("pos_label = 1", "outcomes = [{kind = 'pass'}]"), "has no column"),
    ],
)
def test_a_gate_file_that_makes_no_sense_is_a_message(
    tmp_path: Path, config: str | bytes, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert gate(tmp_path, config=config) == USAGE_ERROR
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err


BY = "by = [{}]\n" + GATE
DEEP = 3000


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("a = " + "[" * DEEP + "]" * DEEP, "is nested too deeply"),
        ("by = " + "{a = " * 900 + "1" + "}" * 900 + "\n" + GATE, "is nested too deeply"),
        ("a." * 50_000 + "a = 1\n", "a key of more than 30 parts"),
        ("[" + '"a" . ' * 50_000 + "a]\n", "a key of more than 30 parts"),
        ("x = '" + "a" * 1_000_000 + "'", "longer than 1,000,000 bytes. Is it the data?"),
        (GATE.replace("0.5", "9" * 5000), "holds a value that cannot be read"),
        (GATE.replace("0.5", "0x" + "f" * 4000), "a whole number of more than 64 bits"),
        (GATE.replace("0.5", "9" * 400), "a whole number of more than 64 bits"),
        (GATE.replace("0.5", "1e999"), "limit=inf of the rule on 'recall' is not a finite number"),
        (GATE.replace("0.5", "[0.5]"), "rule 1: limit = [0.5] must be a number"),
        (GATE.replace('"recall"', '["recall"]'), "rule 1: metric = ['recall'] must be a text"),
        (GATE.replace('"p"', '[["p"]]'), "y_score=[['p']] names columns one by one"),
        (GATE.replace("pos_label = 1", "labels = [[0], [1]]"), "labels=[[0], [1]] must be texts, numbers or truth values"),
        (GATE.replace("pos_label = 1", "outcomes = [['y']]"), "outcomes: ['y'] is not a table"),
        (GATE.replace("pos_label = 1", "outcomes = [{column = ['y']}]"), "outcomes: column = ['y'] must be a text"),
        (BY.format('{bins = "p", edges = 10_000_000}'), "bins('p', 1e+07) makes more than 100,000 cohorts"),
        (BY.format('{quantiles = "p", q = 10_000_000}'), "quantiles('p', 1e+07) makes more than 100,000 cohorts"),
        (BY.format('{each = [{bins = "p", edges = 10_000_000}]}'), "makes more than 100,000 cohorts"),
        (BY.format('{bins = ["p"], edges = [0.5]}'), "a column is given by its name"),
        (BY.format('{bins = "p", edges = [[0.5]]}'), "edges are numbers or times, not lists"),
        (BY.format('{top = ["y"], k = 1}'), "a column is given by its name"),
        ("level = 1e-9\n" + GATE, "level=1e-09 must be at least 0.5 and below 1"),
        ("level = 0.05\n" + GATE, "Did you mean 0.95?"),
        ("level = 95\n" + GATE, "Did you mean 0.95?"),
        (GATE + "level = 1.0\n", "level=1.0 must be at least 0.5 and below 1"),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_limits_of_a_gate_file_speak_before_the_work(
    tmp_path: Path, config: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.process_time()
    assert gate(tmp_path, config=config) == USAGE_ERROR
    assert time.process_time() - started < 2
    err = capsys.readouterr().err
    assert message in err
    assert "Traceback" not in err
    assert len(err) < 500


def test_a_gate_file_may_begin_with_a_byte_order_mark_and_cut_cohorts(tmp_path: Path) -> None:
    assert gate(tmp_path, config="\ufeff" + GATE.replace("[[", 'cohorts = [{bins = "p", edges = [0.5]}]\n[[')) == 0


def test_a_report_that_cannot_be_written_is_no_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gate(tmp_path) == 0
    assert gate(tmp_path, "--json", str(tmp_path / "none" / "x.json")) == USAGE_ERROR
    assert "x.json: No such file or directory" in capsys.readouterr().err


def test_an_unexpected_error_is_no_fail_and_shows_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(dfevals, "evaluate", broken)
    assert gate(tmp_path) == USAGE_ERROR
    assert "Traceback" in capsys.readouterr().err


LOGS = Path(__file__).parent / "fixtures" / "logs"


def _log(model: str, task: str = "toy_mutual") -> str:
    return str(sorted((LOGS / "lm_eval" / model).glob(f"samples_{task}_*.jsonl"))[0])


def test_two_logs_are_compared_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(path) for path in sorted((LOGS / "inspect" / "plain").glob("*.eval"))]
    assert main(["compare", *paths]) == 0
    shown = capsys.readouterr().out
    assert "Comparison: mockllm/small − mockllm/large" in shown
    assert "24 rows of 2 files of Inspect AI." in shown
    assert (
        main(["compare", _log("org__large"), _log("org__small"), "--by", "subject", "--metrics", "acc_pass_rate"]) == 0
    )
    assert "anatomy" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("first", "second", "margin", "status"),
    [("large", "small", 0.1, 0), ("small", "large", 0.01, 1), ("small", "large", 0.4, 2)],
)
def test_a_margin_judges_the_first_by_the_second(
    first: str, second: str, margin: float, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", _log(f"org__{first}", "toy_repeats"), _log(f"org__{second}", "toy_repeats")]
    assert main([*arguments, "--margin", str(margin)]) == status
    assert f"Release gate for org/{first} against org/{second}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([_log("org__large"), _log("org__small"), "--margin", "0.1"], "acc_pass_rate, acc_mutual_info_pass_rate"),
        ([_log("org__large", "toy_sums"), _log("org__small", "toy_sums"), "--margin", "0.1"], "--models A B"),
        ([_log("org__large"), _log("org__small", "toy_choice")], "runs of different tasks cannot be compared"),
        (["no.eval", "no2.eval"], "There is no file 'no.eval'"),
    ],
)
def test_logs_that_cannot_be_compared(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", *arguments]) == USAGE_ERROR
    assert message in capsys.readouterr().err
