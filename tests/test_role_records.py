"""Everything that says what roles there are follows from their records."""

from __future__ import annotations

import ast
import inspect
import pickle
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest

import dfevals
import dfevals.evaluation
from dfevals import accessor
from dfevals.analyses.card import card
from dfevals.exceptions import RoleError
from dfevals.roles import table
from dfevals.roles.bound import Bound
from dfevals.roles.declared import Roles
from dfevals.roles.records import COLUMN, RECORDS

DOORS = {
    "df.evals": accessor.EvalsAccessor.__call__,
    "set_roles": accessor.EvalsAccessor.set_roles,
    "evaluate": dfevals.evaluate,
}
LATER = {"Never": typing.Never, "Evaluation": dfevals.evaluation.Evaluation, "Iterable": Iterable, "Mapping": Mapping}


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 2, 120)
    columns = {role.name: rng.integers(1, 5, 120) for role in RECORDS.values() if role.kind == COLUMN}
    scores = {
        "p": rng.random(120),
        "passed": rng.random(120) < 0.5,
        "passed_error": None,
        "sex": rng.choice(["f", "m"], 120),
    }
    return pd.DataFrame({**columns, **scores, "y_true": truth})


@pytest.mark.parametrize("door", DOORS)
def test_signatures_are_the_records(door: str) -> None:
    parameters = inspect.signature(DOORS[door]).parameters
    roles = {name: p for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name != "store"}
    assert list(roles) == list(RECORDS)
    assert all(parameter.default is accessor.UNSET for parameter in roles.values())
    hints = typing.get_type_hints(DOORS[door], {**vars(accessor), **LATER})
    for name in roles:
        literals = [one for one in typing.get_args(hints[name]) if typing.get_origin(one) is typing.Literal]
        assert tuple(typing.get_args(literals[0]) if literals else ()) == RECORDS[name].options, name


@pytest.mark.parametrize("door", DOORS)
def test_every_role_is_documented(door: str) -> None:
    text = inspect.getdoc(DOORS[door]) or ""
    for role in RECORDS.values():
        assert f"\n{role.name} : {role.takes}, optional\n    {role.means.split()[0]}" in text
        assert f"``{role.name}={role.example}``" in text
    assert "{roles}" not in text


def test_roles_are_the_records(frame: pd.DataFrame) -> None:
    assert {field.name for field in fields(Roles)} == set(RECORDS)
    assert table()["role"].tolist() == list(RECORDS)
    for role in RECORDS.values():
        ast.parse(f"df.evals({role.name}={role.example})")
        assert role.means.endswith(".")
        assert bool(role.hints) == bool(role.reason)


@pytest.mark.parametrize("jedi", [True, False])
def test_roles_are_completed(frame: pd.DataFrame, jedi: bool) -> None:
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell()
    shell.user_ns.update(df=frame, dfevals=dfevals)
    shell.Completer.use_jedi = jedi
    for text, expected in {
        "df.evals(y_true='y_true', sam": "sample_weight=",
        "df.evals.set_roles(score_k": "score_kind=",
        "dfevals.evaluate(df, pos": "pos_label=",
    }.items():
        with provisionalcompleter():
            assert expected in [c.text for c in shell.Completer.completions(text, len(text))], text


def test_wrong_and_taken_back_roles(frame: pd.DataFrame) -> None:
    for door in (frame.evals, frame.evals.set_roles, lambda **roles: dfevals.evaluate(frame, **roles)):
        wrong: Any = door
        with pytest.raises(RoleError, match=r"There is no role 'y_scor'\. Did you mean 'y_score'"):
            wrong(y_scor="p")
    frame.evals.set_roles(y_true="y_true", y_score="p", cluster="cluster", weight_kind="frequency")
    assert frame.evals(cluster=None, weight_kind=None).roles == Roles(
        y_true="y_true", y_score="p", sample_weight="sample_weight"
    )
    assert frame.evals().roles.cluster == "cluster"


@pytest.mark.parametrize("role", [role.name for role in RECORDS.values() if role.options])
def test_choices_name_the_nearest(role: str) -> None:
    near = RECORDS[role].options[0][:-1]
    with pytest.raises(RoleError, match=f"Did you mean '{RECORDS[role].options[0]}'"):
        Roles.build(**{role: near})


@pytest.mark.parametrize(
    "name", [*(r.name for r in RECORDS.values() if r.kind == COLUMN), "p", "passed", "passed_error", "sex"]
)
def test_the_hash_knows_every_column_of_a_role(frame: pd.DataFrame, name: str) -> None:
    singles = {role.name: role.name for role in RECORDS.values() if role.kind == COLUMN and role.name != "model"}
    outcome = dfevals.Outcome("passed", error_column="passed_error")
    roles: dict[str, Any] = {**singles, "y_score": "p", "outcomes": [outcome], "cohorts": ["sex"]}
    if name == "model":
        roles |= {"model": "model"}

    def hashed(rows: pd.DataFrame) -> str:
        return rows.evals(**roles).metrics("accuracy").provenance["data_sha256"]

    changed = frame.copy()
    other = changed[name].iloc[1:].ne(changed[name].iloc[0])
    changed[name] = changed[name].astype(object)
    changed.loc[0, name] = changed[name].iloc[1:][other.to_numpy()].iloc[0] if name != "passed_error" else "time out"
    changed[name] = changed[name].infer_objects()
    assert hashed(frame) == hashed(frame.assign(unused=1))
    assert hashed(changed) != hashed(frame)


def test_the_card_names_roles_and_suggests_no_column_that_has_one(frame: pd.DataFrame) -> None:
    roles = {"y_true": "y_true", "y_score": "p"}
    plain = frame[["y_true", "p", "sex", "fold", "time"]]
    suggested = card(plain.evals(**roles)._bound).suggestions
    assert any(text.startswith("fold='fold': ranking metrics") for text in suggested)
    assert any(text.startswith("time='time'") for text in suggested)
    declared = card(plain.evals(**roles, fold="fold", time="time", cohorts=["sex"])._bound)
    assert not any("fold" in text or "time" in text for text in declared.suggestions)
    assert {("fold", "fold"), ("time", "time")} <= set(declared.facts)


def test_every_role_is_an_option_of_the_magic(frame: pd.DataFrame) -> None:
    from dfevals.magics import COMMANDS, _parser

    text = _parser(COMMANDS["metrics"]).format_help()
    for name in RECORDS:
        assert f"--{name.replace('_', '-')} " in text


def test_the_meaning_has_no_rows_and_travels(frame: pd.DataFrame) -> None:
    bound = frame.evals(y_true="y_true", y_score={"m": "p"}, cluster="cluster")._bound
    sent = pickle.loads(pickle.dumps(bound.meaning))  # noqa: S301 - made here
    assert sent == bound.meaning
    assert (sent.task, sent.pos_label, sent.model("m").y_score) == ("binary", 1, ("p",))
    assert not any(isinstance(value, pd.DataFrame | pd.Series | np.ndarray) for value in vars(sent).values())
    half = Bound.of(frame.iloc[:40], sent)
    assert (half.n, half.task, half.labels) == (40, "binary", (0, 1))
