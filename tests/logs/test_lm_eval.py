"""lm-evaluation-harness 0.4.13: samples and results as the tool wrote them, against the figures that it printed."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import DataError
from logs.logs_at_hand import LOGS, figures, notes

FOLDER = LOGS / "lm_eval"
MODELS = ("org/small", "org/large")


def samples(task: str, model: str = "*") -> list[Path]:
    return sorted(FOLDER.glob(f"{model.replace('/', '__')}/samples_{task}_*.jsonl"))


def printed(model: str, task: str) -> dict[str, float]:
    results = sorted((FOLDER / model.replace("/", "__")).glob("results_*.json"))[0]
    return json.loads(results.read_text())["results"][task]  # type: ignore[no-any-return]


def first_runs(task: str) -> list[Path]:
    return [samples(task, model)[0] for model in MODELS]


@pytest.mark.parametrize(
    ("task", "metrics"), [("toy_choice", ("acc", "acc_norm")), ("toy_mutual", ("acc", "acc_mutual_info"))]
)
@pytest.mark.parametrize("metric", ["mean", "pass_rate", "unit_mean"])
def test_means_and_standard_errors_are_those_that_the_tool_prints(
    task: str, metrics: tuple[str, ...], metric: str
) -> None:
    found = figures(dfevals.read_log(first_runs(task)), metric)
    for model in MODELS:
        told = printed(model, task)
        for name in metrics:
            value, se = found[model, f"{name}_{metric}"]
            assert value == pytest.approx(told[f"{name},none"], abs=1e-12)
            assert se == pytest.approx(told[f"{name}_stderr,none"], abs=1e-12)


def test_every_filter_is_a_model() -> None:
    df = dfevals.read_log(first_runs("toy_sums"))
    assert set(df["model"]) == {f"{m} ({f})" for m in MODELS for f in ("strict-match", "flexible-extract")}
    assert len(df) == 2 * 2 * 30
    found = figures(df, "mean")
    for model in MODELS:
        told = printed(model, "toy_sums")
        for name in ("strict-match", "flexible-extract"):
            value, se = found[f"{model} ({name})", "mean"]
            assert value == pytest.approx(told[f"exact_match,{name}"], abs=1e-12)
            assert se == pytest.approx(told[f"exact_match_stderr,{name}"], abs=1e-12)
    none = df[df["response"] == "[invalid]"]
    assert len(none) > 5
    assert (none["exact_match"] == 0).all()
    assert none["raw_response"].str.contains("know|answer").all()


def test_the_choice_is_the_greatest_likelihood_of_the_half_with_the_question() -> None:
    for task in ("toy_choice", "toy_mutual"):
        df = dfevals.read_log(first_runs(task))
        assert ((df["response"] == df["reference"]) == (df["acc"] == 1)).all()
        assert df["choice"].between(0, 3).all()
        assert df["target"].tolist() == df["answer"].astype(str).tolist()


def test_figures_of_the_corpus_are_no_outcomes() -> None:
    df = dfevals.read_log(first_runs("toy_corpus"))
    assert [outcome.column for outcome in df.evals.roles.outcomes] == ["acc"]
    assert "mcc is a figure of the whole corpus" in notes(df)
    assert json.loads(df["mcc"].iloc[0]) == [0, df["choice"].iloc[0]]


def test_repeats_that_the_filter_dropped_are_said() -> None:
    df = dfevals.read_log(first_runs("toy_repeats"))
    assert len(df) == 60
    assert "of 3 answers to a document the one that the filter took is scored" in notes(df)
    assert df.evals.roles.repeat is None


def test_roles_groups_and_types() -> None:
    df = dfevals.read_log(samples("toy_choice", "org/small"))
    roles = df.evals.roles
    assert (roles.id, roles.model, roles.response, roles.reference, roles.release) == (
        "id", "model", "response", "reference", "release",
    )  # fmt: skip
    assert df["id"].tolist()[:2] == ["toy_choice/0", "toy_choice/1"]
    assert df["code"].tolist()[7] == "007"  # text stays text
    assert df["prompt"].str.endswith("\nAnswer:").all()
    assert json.loads(df["choices"].iloc[0]) == ["word0a", "word0b", "word0c", "word0d"]
    assert {outcome.better for outcome in roles.outcomes} == {"higher"}
    assert {outcome.kind for outcome in roles.outcomes} == {"pass"}


def test_two_models_are_paired_by_document_and_honour_clusters() -> None:
    df = dfevals.read_log(first_runs("toy_choice"))
    result = df.evals().compare("org/small", "org/large", "acc_pass_rate", by="subject")
    assert result.paired
    a, b = (df[df["model"] == model].set_index("doc_id")["acc"] for model in MODELS)
    overall = result.frame[result.frame["is_overall"]].iloc[0]
    assert overall["difference"] == pytest.approx((a - b).mean())
    assert set(result.frame["subject"]) == {"(overall)", "algebra", "anatomy", "law"}
    clustered = df.evals(cluster="subject").compare(metrics="acc_pass_rate")
    assert clustered.frame["test"].str.contains("cluster-robust").all()


def test_a_folder_is_read_with_the_newest_run_and_says_what_it_left() -> None:
    df = dfevals.read_log(FOLDER)
    assert df.groupby(["task", "model"]).size().to_dict() == {
        **{(task, model): 40 for task in ("toy_choice", "toy_mutual", "toy_corpus") for model in MODELS},
        **{("toy_sums", f"{m} ({f})"): 30 for m in MODELS for f in ("strict-match", "flexible-extract")},
        **{("toy_repeats", model): 30 for model in MODELS},
    }
    assert "2 other files in the folder not read: choice.jsonl, sums.jsonl" in notes(df)
    assert "1 earlier run in the folder left out" in notes(df)
    assert "acc_norm: no score of" in notes(df)


def test_runs_of_one_model_are_told_apart_by_their_time() -> None:
    paths = samples("toy_choice", "org/large")
    assert len(paths) == 2
    df = dfevals.read_log(paths)
    times = sorted(path.stem.rsplit("_", 1)[1] for path in paths)
    assert sorted(df["model"].unique()) == [f"org/large ({time})" for time in times]
    assert df.evals().compare(metrics="acc_pass_rate").frame["difference"].tolist() == [0.0]


def test_runs_of_other_tasks_are_refused_by_name() -> None:
    df = dfevals.read_log([*samples("toy_mutual", "org/small"), *samples("toy_sums", "org/large")])
    with pytest.raises(DataError, match=r"'org/small' did toy_mutual and 'org/large \(.*\)' did toy_sums"):
        df.evals().compare()


def test_results_alone_are_figures_of_tasks() -> None:
    paths = sorted(FOLDER.glob("*/results_*.json"))
    df = dfevals.read_log([paths[0], paths[-1]])
    told = printed("org/small", "toy_sums")
    row = df[(df["model"] == "org/small") & (df["filter"] == "strict-match")].iloc[0]
    assert row["exact_match"] == told["exact_match,strict-match"]
    assert row["exact_match_stderr"] == told["exact_match_stderr,strict-match"]
    assert row["samples"] == 30
    assert "holds no samples" in notes(df)


def _line(**changes: object) -> dict[str, object]:
    line = json.loads(samples("toy_sums")[0].read_text().splitlines()[0])
    return {**line, **changes}


def _written(
    folder: Path, model: str, lines: list[dict[str, object]], task: str = "t", time: str = "2026-12-01T10-00-00"
) -> Path:
    path = folder / model / f"samples_{task}_{time}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_ids_that_mean_something_else_are_paired_by_what_was_asked(tmp_path: Path) -> None:
    hashes = ["a", "b", "c", "d"]
    one = [_line(doc_id=i, doc_hash=h, exact_match=1.0) for i, h in enumerate(hashes)]
    two = [_line(doc_id=i, doc_hash=h, exact_match=float(h in "ab")) for i, h in enumerate(reversed(hashes))]
    df = dfevals.read_log([_written(tmp_path, "one", one), _written(tmp_path, "two", two)])
    assert "4 ids stand for different questions in the runs" in notes(df)
    wide = df.pivot(index="doc_hash", columns="model", values="exact_match")
    assert df.evals().compare().frame["difference"].iloc[0] == pytest.approx((wide["one"] - wide["two"]).mean())
    assert sorted(df["id"].unique()) == ["t/a", "t/b", "t/c", "t/d"]


def test_settings_that_differ_are_said(tmp_path: Path) -> None:
    paths = first_runs("toy_choice")
    for path, version in zip(paths, (1.0, 3.0), strict=True):
        folder = tmp_path / path.parent.name
        folder.mkdir()
        (folder / path.name).write_text(path.read_text())
        results = next(p for p in path.parent.glob("results_*") if p.stem.split("_")[1] == path.stem.rsplit("_", 1)[1])
        document = json.loads(results.read_text())
        document["versions"]["toy_choice"] = version
        (folder / results.name).write_text(json.dumps(document))
    df = dfevals.read_log(f"{tmp_path}/*/samples*")
    assert "toy_choice: the runs differ in version: 3.0 (org/large); 1.0 (org/small)." in notes(df)


def test_numbers_of_other_kinds(tmp_path: Path) -> None:
    lines = [
        _line(doc_id=0, exact_match=True),
        _line(doc_id=1, exact_match=float("nan")),
        _line(doc_id=2, exact_match=1),
        _line(doc_id=3, exact_match=None, doc={"big": 2**60 + 1, "code": "0042", "when": "2026-01-01"}),
    ]
    df = dfevals.read_log(_written(tmp_path, "m", lines))
    assert df["exact_match"].tolist()[::2] == [1.0, 1.0]
    assert df["exact_match"].isna().tolist() == [False, True, False, True]
    assert df["big"].dropna().tolist() == [2**60 + 1]
    assert df["code"].dropna().tolist() == ["0042"]
    assert "exact_match: 2 rows without an error were not scored" in notes(df)
    values = df.evals().metrics(["pass_rate", "evaluation_error_rate"]).frame.set_index("metric")["value"]
    assert values.tolist() == [1.0, 0.5]


def test_a_table_survives_parquet(tmp_path: Path) -> None:
    df = dfevals.read_log(first_runs("toy_choice"))
    df.to_parquet(tmp_path / "log.parquet")
    back = pd.read_parquet(tmp_path / "log.parquet")
    assert back.evals.roles == df.evals.roles
    assert notes(back) == notes(df)
