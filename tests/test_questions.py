"""What belongs to a question, in one list: each that was forgotten when a question was added is named."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from pathlib import Path
from typing import Any

import pytest

import dfevals.analyses
from dfevals.evaluation import Evaluation, questions
from dfevals.magics import COMMANDS, WITHOUT

ROOT = Path(__file__).parents[1]
#: Questions that stand beside another one, or are about something other than analyses.
HOMES = {
    **dict.fromkeys(("roc", "pr", "det", "cap"), "curves"),
    **dict.fromkeys(("route", "power"), "compare"),
    "recalibrate": "calibration",
    "equalise": "fairness",
    "collect": "metrics",
    "explore": "",
}
NO_CHART = {
    "collect": "a tally is for keeping and adding up",
    "agreement": "a few numbers, each with its interval in the table",
    "worst": "rows",
    "explore": "a widget",
}
NO_PAGE = {"worst": "a plain DataFrame", "explore": "its traits and methods are in the guide of the explorer"}
#: Laws that do not hold for a question, or are tested where the question is tested, and why.
NO_LAW = {
    ("det", "*"): "drawn from the numbers of `roc`",
    ("cap", "*"): "drawn from the numbers of `roc`",
    ("pr", "*"): "made by the function of `roc`",
    ("worst", "*"): "rows, which neither weights nor cohorts change",
    ("explore", "*"): "made of other questions",
    ("collect", "*"): "its laws are those of tallies",
    ("residuals", "test_missing_roles"): "asks for a regression; see test_residuals",
    ("drift", "test_missing_roles"): "a missing value is one of the values that move",
    ("flip", "test_missing_roles"): "test_flip counts them",
    ("folds", "test_roles_that_meet"): "weights and repeats of folds are in test_folds",
    ("recalibrate", "test_roles_that_meet"): "maps are fitted on folds that chance makes of the rows",
}
LAWS = ("test_roles_that_meet", "test_missing_roles", "test_pickling")


def text_of(pattern: str) -> str:
    return "\n".join(path.read_text(encoding="utf-8") for path in sorted(ROOT.glob(pattern)))


def results() -> dict[str, Any]:
    """Classes of all modules of analyses, by name."""
    found: dict[str, Any] = {}
    for module in pkgutil.walk_packages(dfevals.analyses.__path__, "dfevals.analyses."):
        found |= {
            name: value for name, value in vars(importlib.import_module(module.name)).items() if inspect.isclass(value)
        }
    return found


def answer_of(name: str) -> str:
    """Name of what the method returns."""
    return str(inspect.signature(getattr(Evaluation, name)).return_annotation).rpartition(".")[2].strip("'\"")


def forgotten(name: str) -> list[str]:
    """What a question lacks."""
    home = HOMES.get(name, name)
    analyses = ROOT / "src" / "dfevals" / "analyses"
    result = results().get(answer_of(name))
    laws = [law for law in LAWS if (name, law) not in NO_LAW and (name, "*") not in NO_LAW]
    written = re.compile(rf"\.{name}\(")
    wanted = {
        "a runnable example in its docstring": ">>>" in (inspect.getdoc(getattr(Evaluation, name)) or ""),
        f"a room analyses/{home}": not home or (analyses / home).is_dir() or (analyses / f"{home}.py").exists(),
        "a chart, result.plot()": name in NO_CHART or hasattr(result, "plot"),
        "a guide that shows it, docs/guides": bool(written.search(text_of("docs/guides/*.md"))),
        "a line of %evals": name in COMMANDS or name in WITHOUT,
        f"{answer_of(name)} in docs/api.md": name in NO_PAGE or answer_of(name) in text_of("docs/api.md"),
        "awkward frames, tests/test_awkward.py": bool(re.search(rf'"{name}["\s]', text_of("tests/test_awkward.py"))),
        **{f"a law, tests/laws/{law}.py": bool(written.search(text_of(f"tests/laws/{law}.py"))) for law in laws},
    }
    return [what for what, there in wanted.items() if not there]


@pytest.mark.parametrize("name", questions())
def test_nothing_of_a_question_was_forgotten(name: str) -> None:
    assert forgotten(name) == []


def test_what_is_stated_is_about_questions() -> None:
    stated = {*HOMES, *NO_CHART, *NO_PAGE, *WITHOUT, *(name for name, _ in NO_LAW)}
    assert stated <= set(questions())


def test_a_question_that_nobody_knows_lacks_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    def guess(self: Evaluation) -> Any:
        """Nothing."""

    monkeypatch.setattr(Evaluation, "guess", guess, raising=False)
    assert len(forgotten("guess")) == 7 + len(LAWS)
