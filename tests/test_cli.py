"""`python -m dfevals`: what it prints and how it ends."""

from __future__ import annotations

import subprocess
import sys
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
