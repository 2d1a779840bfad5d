"""`%evals`: loading, questions, roles, cohorts, help, completion and errors, in IPython's own shell."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import dfevals
from dfevals.evaluation import Evaluation
from dfevals.explorers.explorer import Explorer
from dfevals.magics import COMMANDS
from dfevals.results.result import MetricsResult

ROLES = "--y-true label --y-score p"


@pytest.fixture
def shell(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    InteractiveShell.clear_instance()
    made = InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    made.run_line_magic("load_ext", "dfevals")
    rng = np.random.default_rng(3)
    n = 400
    label = rng.integers(0, 2, n)
    score = np.clip(label * 0.3 + rng.uniform(0, 0.7, n), 0, 1)
    made.user_ns["df"] = pd.DataFrame(
        {
            "label": label,
            "p": score,
            "q": rng.uniform(0, 1, n),
            "sex": rng.choice(["F", "M"], n),
            "home town": rng.choice(["Oslo", "Rome"], n),
            "age": rng.integers(18, 80, n),
        }
    )
    made.user_ns["ev"] = made.user_ns["df"].evals(y_true="label", y_score={"a": "p", "b": "q"})
    yield made
    InteractiveShell.clear_instance()


def run(shell: InteractiveShell, line: str, cell: str | None = None) -> Any:
    if cell is None:
        return shell.run_line_magic("evals", line)
    return shell.run_cell_magic("evals", line, cell)


def same(a: MetricsResult, b: MetricsResult) -> None:
    pd.testing.assert_frame_equal(a.frame, b.frame)


# Loading


def test_loading_binds_the_name_and_is_idempotent(shell: InteractiveShell) -> None:
    assert shell.user_ns["dfevals"] is dfevals
    dfevals.load_ipython_extension(shell)
    dfevals.load_ipython_extension(shell)
    assert len(list(shell.strdispatchers["complete_command"].s_matches("%evals"))) == 1


def test_a_taken_name_stays(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "dfevals")
    shell.user_ns["dfevals"] = "mine"
    shell.run_line_magic("load_ext", "dfevals")
    assert shell.user_ns["dfevals"] == "mine"
    shell.run_line_magic("unload_ext", "dfevals")
    assert shell.user_ns["dfevals"] == "mine"


def test_unloading_takes_everything_out_and_loading_again_works(shell: InteractiveShell) -> None:
    shell.run_line_magic("unload_ext", "dfevals")
    assert shell.find_line_magic("evals") is None
    assert shell.find_cell_magic("evals") is None
    assert "dfevals" not in shell.user_ns
    assert list(shell.strdispatchers["complete_command"].s_matches("%evals")) == []
    shell.run_line_magic("load_ext", "dfevals")
    assert isinstance(run(shell, "metrics ev"), MetricsResult)


# Questions


def test_metrics_of_an_evaluation(shell: InteractiveShell) -> None:
    ev: Evaluation = shell.user_ns["ev"]
    same(run(shell, "metrics ev --metrics recall roc_auc --by sex"), ev.metrics(["recall", "roc_auc"], by="sex"))


def test_words_after_the_rows_are_the_models_the_metrics_or_how_many(shell: InteractiveShell) -> None:
    ev: Evaluation = shell.user_ns["ev"]
    frames = pd.testing.assert_frame_equal
    same(run(shell, "metrics ev recall roc_auc --by sex"), ev.metrics(["recall", "roc_auc"], by="sex"))
    same(run(shell, "ev recall"), ev.metrics(["recall"]))
    frames(run(shell, "compare ev b a --by sex").frame, ev.compare("b", "a", by="sex").frame)
    frames(run(shell, "compare ev --ci 0.9 b a").frame, ev.compare("b", "a", level=0.9).frame)
    frames(run(shell, "compare ev --level 0.9 b a").frame, ev.compare("b", "a", level=0.9).frame)
    frames(run(shell, "worst ev 3 --model b"), ev.worst(3, model="b"))


def test_models_of_a_frame_with_roles_follow_its_name(shell: InteractiveShell) -> None:
    shell.user_ns["df"].evals.set_roles(y_true="label", y_score={"a": "p", "b": "q"})
    found = run(shell, "compare df a b --by sex").frame
    pd.testing.assert_frame_equal(found, shell.user_ns["ev"].compare("a", "b", by="sex").frame)
    assert {"a", "b", "--by"} <= offered(shell, "%evals compare df ")


def test_roles_on_the_line(shell: InteractiveShell) -> None:
    ev = shell.user_ns["df"].evals(y_true="label", y_score="p")
    same(run(shell, f"metrics df {ROLES} --by sex --metrics recall"), ev.metrics(["recall"], by="sex"))


def test_models_labels_and_thresholds_on_the_line(shell: InteractiveShell) -> None:
    line = "metrics df --y-true label --y-score one=p q --pos-label 0 --threshold 0.4 --metrics recall"
    expected = shell.user_ns["df"].evals(
        y_true="label", y_score={"one": "p", "q": "q"}, pos_label=np.int64(0), threshold=0.4
    )
    same(run(shell, line), expected.metrics(["recall"]))


def test_roles_kept_with_the_frame(shell: InteractiveShell) -> None:
    shell.user_ns["df"].evals.set_roles(y_true="label", y_score="p")
    same(run(shell, "metrics df --metrics recall"), shell.user_ns["df"].evals().metrics(["recall"]))


def test_every_option_reaches_its_parameter(shell: InteractiveShell) -> None:
    ev: Evaluation = shell.user_ns["ev"]
    line = (
        "metrics ev --metrics recall --by age --models a --ci 0.8 --interval wald --relative-to complement --min-n 50"
    )
    expected = ev.metrics(
        ["recall"], by="age", models=["a"], level=0.8, interval="wald", relative_to="complement", min_n=50
    )
    same(run(shell, line), expected)


def test_confusion_and_worst(shell: InteractiveShell) -> None:
    ev: Evaluation = shell.user_ns["ev"]
    pd.testing.assert_frame_equal(run(shell, "confusion ev --by sex").frame, ev.confusion(by="sex").frame)
    pd.testing.assert_frame_equal(run(shell, "worst ev --n 3 --model b"), ev.worst(3, model="b"))


def test_where_keeps_some_of_the_rows(shell: InteractiveShell) -> None:
    ev: Evaluation = shell.user_ns["ev"]
    same(run(shell, "metrics ev --where 'age < 30'"), ev.where("age < 30").metrics())


def test_plot_draws_instead_of_returning_a_table(shell: InteractiveShell) -> None:
    import matplotlib.pyplot as plt

    plt.close("all")
    assert run(shell, "metrics ev --metrics recall --by sex --models a --plot") is None
    assert len(plt.get_fignums()) == 1
    plt.close("all")


def test_a_question_is_offered_only_if_evaluations_answer_it() -> None:
    assert {"metrics", "confusion", "worst"} <= set(COMMANDS)
    assert all(hasattr(Evaluation, name) for name in COMMANDS)


def documented() -> list[tuple[str, str]]:
    """Lines of the guide's table and the calls that they stand for."""
    page = (Path(__file__).parents[1] / "docs" / "guides" / "magics.md").read_text()
    rows = re.findall(r"^\| `%evals (.+?)` \| `(.+?)` \|$", page, re.MULTILINE)
    assert len(rows) > 15
    return rows


@pytest.mark.parametrize(("line", "call"), documented())
def test_documented_lines_are_their_calls(shell: InteractiveShell, line: str, call: str) -> None:
    from matplotlib import pyplot as plt

    frame, rng = shell.user_ns["df"], np.random.default_rng(0)
    frame = frame.assign(
        race=rng.choice(["x", "y"], len(frame)),
        human=rng.integers(0, 2, len(frame)),
        judge=rng.integers(0, 2, len(frame)),
        fold=np.arange(len(frame)) % 5,
    )
    ev = frame.evals(y_true="label", y_score={"gbm": "p", "logistic": "q"}, fold="fold")
    shell.user_ns["ev"] = ev
    found = run(shell, line)
    wanted = eval(call, {"dfevals": dfevals, "Gate": dfevals.Gate, "ev": ev})  # noqa: S307 (our own page)
    plt.close("all")
    if "--plot" in line:
        assert found is None
    elif isinstance(wanted, pd.DataFrame):
        pd.testing.assert_frame_equal(found, wanted)
    elif isinstance(wanted, Explorer):
        assert isinstance(found, Explorer)
    else:
        pd.testing.assert_frame_equal(found.frame, wanted.frame)


# Cohorts


@pytest.mark.parametrize(
    ("words", "by"),
    [
        ("sex 'home town'", ["sex", "home town"]),
        ("'bins(age, [30, 50])'", dfevals.bins("age", [30, 50])),
        ("sex quantiles(age,3)", ["sex", dfevals.quantiles("age", 3)]),
        ("sex 'top(\"home town\", 1)' --each", dfevals.each("sex", dfevals.top("home town", 1))),
        ("groups", {"young": "age < 30", "old": "age >= 60"}),
    ],
)
def test_cohorts_on_the_line(shell: InteractiveShell, words: str, by: Any) -> None:
    shell.user_ns["groups"] = {"young": "age < 30", "old": "age >= 60"}
    same(run(shell, f"metrics ev --metrics recall --by {words}"), shell.user_ns["ev"].metrics(["recall"], by=by))


def test_a_cell_names_cohorts(shell: InteractiveShell) -> None:
    cell = "# who\nyoung women: age < 30 and sex == 'F'\n\nRomans: `home town` == 'Rome'\n"
    by = {"young women": "age < 30 and sex == 'F'", "Romans": "`home town` == 'Rome'"}
    ev: Evaluation = shell.user_ns["ev"]
    same(run(shell, "ev --metrics recall", cell), ev.metrics(["recall"], by=by))
    pd.testing.assert_frame_equal(run(shell, "confusion ev", cell).frame, ev.confusion(by=by).frame)


# Help


def test_help(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(shell, "--help") is None
    overview = capsys.readouterr().out
    assert all(name in overview for name in COMMANDS)
    assert run(shell, "metrics --help") is None
    text = capsys.readouterr().out
    assert "--relative-to" in text
    assert "--y-true" in text
    assert "--n-resamples" in text
    assert run(shell, "confusion ev --help") is None
    assert "--relative-to" not in capsys.readouterr().out


# Errors


@pytest.mark.parametrize(
    ("line", "cell", "message"),
    [
        ("metrisc ev", None, "Did you mean 'metrics'"),
        ("metrics eva", None, "Did you mean 'ev'"),
        ("metrics", None, "required: rows"),
        ("metrics ev --metrics recal", None, "recall"),
        ("metrics ev --by sxe", None, "Did you mean 'sex'"),
        ("metrics ev --by bns(age,[1])", None, "Did you mean 'bins'"),
        ("metrics ev --by 'bins(age, open)'", None, "bins"),
        ("metrics ev --ci big", None, "invalid float value"),
        ("metrics ev --relative-to rest", None, "invalid choice"),
        ("metrics ev --metrics 'recall", None, "No closing quotation"),
        ("metrics ev --y-true label", None, "has its roles already"),
        ("metrics shell_text", None, "is a str"),
        ("metrics df --y-true lable --y-score p", None, "Did you mean 'label'"),
        ("metrics ev --colour red", None, "--colour"),
        ("thresholds ev --cost fp=one", None, "write it like fp=1 fn=5"),
        ("agreement ev --level often", None, "scale='often'"),
        ("metrics ev recal", None, "Did you mean 'recall'"),
        ("metrics ev recall --metrics f1", None, "say the same"),
        ("compare ev a c", None, "no model 'c'"),
        ("compare ev a b c", None, "c is too much"),
        ("confusion ev recall", None, "unrecognized arguments: recall"),
        ("worst ev many", None, "not a whole number"),
        ("ev", "age < 30", "name: expression"),
        ("ev", "a: age < 30\na: age < 20", "again"),
        ("ev", "# nothing", "names no cohorts"),
        ("ev", "young: agee < 30", "Did you mean 'age'"),
        (
            "calibration ev --models a --ci 0.9 --lvl 0.9",
            None,
            "unrecognized arguments: --lvl 0.9. Did you mean 'level'? Help:",
        ),
    ],
)
def test_errors_are_one_short_message(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str], line: str, cell: str | None, message: str
) -> None:
    shell.user_ns["shell_text"] = "text"
    source = f"%evals {line}" if cell is None else f"%%evals {line}\n{cell}"
    result = shell.run_cell(source)
    captured = capsys.readouterr()
    assert not result.success
    assert message in captured.err
    assert "Traceback" not in captured.err + captured.out


# Gates


def test_gate_reads_rules(shell: InteractiveShell) -> None:
    line = "gate ev --model a --baseline b --by sex --rule 'recall >= 0.3' --rule 'accuracy no worse than baseline'"
    found = run(shell, line)
    rules = [dfevals.Gate("recall", ">=", 0.3), dfevals.Gate("accuracy", vs="baseline")]
    known = shell.user_ns["ev"].gate(rules, model="a", baseline="b", by="sex")
    pd.testing.assert_frame_equal(found.frame, known.frame)


@pytest.mark.parametrize(
    ("options", "message"),
    [("", "--rule"), ("--rule 'recall > 0.8'", "is no rule"), ("--rule 'recall >= high'", "is not a number")],
)
def test_gate_without_a_rule_that_can_be_read(shell: InteractiveShell, options: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        run(shell, f"gate ev --model a {options}")


# Completion


def offered(shell: InteractiveShell, line: str) -> set[str]:
    with provisionalcompleter():
        return {match.text for match in shell.Completer.completions(line, len(line))}


@pytest.mark.parametrize(
    ("line", "expected", "others"),
    [
        ("%evals me", {"metrics"}, {"ev"}),
        ("%evals metrics ", {"df", "ev"}, {"metrics"}),
        ("%evals metrics e", {"ev"}, {"df"}),
        ("%evals metrics df --y-true ", {"label", "'home town'"}, {"recall"}),
        ("%evals metrics ev --by s", {"sex"}, {"age"}),
        ("%evals metrics ev --by sex a", {"age"}, {"sex"}),
        ("%evals metrics ev --metrics roc", {"roc_auc"}, {"recall"}),
        ("%evals metrics ev --models ", {"a", "b"}, {"sex"}),
        ("%evals metrics ev --relative-to ", {"overall", "complement"}, {"sex"}),
        ("%evals metrics ev --rel", {"--relative-to"}, {"--by"}),
        ("%evals confusion ev ", {"--by", "--models"}, {"--relative-to", "recall"}),
        ("%evals metrics ev ", {"recall", "--by"}, {"sex", "a"}),
        ("%evals metrics ev recall ro", {"roc_auc"}, {"recall"}),
        ("%evals compare ev ", {"a", "b", "--by"}, {"recall"}),
        ("%evals compare ev a ", {"b"}, {"recall"}),
        ("%evals agreement ev ", {"a", "sex", "--level"}, {"recall"}),
        ("%%evals ev --metrics bri", {"brier"}, {"recall"}),
    ],
)
def test_completion(shell: InteractiveShell, line: str, expected: set[str], others: set[str]) -> None:
    found = offered(shell, line)
    assert expected <= found
    assert not others & found
