"""`python -m dfevals`: what it prints and how it ends."""

from __future__ import annotations

import subprocess
import sys

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
