"""Inspect AI 0.3.285: logs as the tool wrote them, against the figures in their headers."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

import dfevals
from dfevals.exceptions import DataError
from logs.logs_at_hand import LOGS, figures, notes, printed

FOLDER = LOGS / "inspect"
COLUMN = {"length": "style_length", "polite": "style_polite"}


def test_means_and_standard_errors_over_epochs_are_those_of_the_header() -> None:
    df = dfevals.read_log(f"{FOLDER}/words/*.eval")
    found = figures(df, "unit_mean")
    checked = 0
    for path in (FOLDER / "words").glob("*.eval"):
        for entry in printed(path):
            if entry["reducer"] == "mean":
                told = {name: metric["value"] for name, metric in entry["metrics"].items()}
                value, se = found[entry["model"], f"{COLUMN.get(entry['name'], entry['name'])}_unit_mean"]
                assert value == pytest.approx(told.get("accuracy", told.get("mean")), abs=1e-12)
                assert se == pytest.approx(told["stderr"], abs=1e-12)
                checked += 1
    assert checked == 8


def test_means_without_epochs_are_those_of_the_header() -> None:
    found = figures(dfevals.read_log(f"{FOLDER}/plain/*.eval"), "mean")
    for path in (FOLDER / "plain").glob("*.eval"):
        (entry,) = printed(path)
        told = {name: metric["value"] for name, metric in entry["metrics"].items()}
        assert found[entry["model"], "mean"] == pytest.approx((told["accuracy"], told["stderr"]), abs=1e-12)


def test_rows_roles_and_letters() -> None:
    df = dfevals.read_log(f"{FOLDER}/words/*.eval")
    roles = df.evals.roles
    assert len(df) == 2 * 20 * 3
    assert roles.unit == roles.id == "id"
    assert roles.repeat == "repeat"
    assert [o.column for o in roles.outcomes] == ["match", "style_length", "style_polite", "graded"]
    assert {o.column: o.range for o in roles.outcomes}["graded"] == (0.0, 1.0)
    assert {o.column: o.kind for o in roles.outcomes} == {
        "match": "pass", "style_length": "score", "style_polite": "pass", "graded": "score",
    }  # fmt: skip
    assert set(df["graded"].dropna()) == {0.0, 0.5, 1.0}
    assert "toy_words/q03/a_epoch_2" in set(df["id"])
    assert df["subject"].nunique() == 3
    first = df[(df["sample_id"] == "q00") & (df["repeat"] == 1)].iloc[0]
    assert json.loads(first["tool_calls"]) == [{"name": "lookup", "arguments": {"word": "word0"}}]
    assert [m["role"] for m in json.loads(first["trajectory"])] == ["user", "assistant", "tool", "assistant"]
    assert json.loads(df[df["sample_id"] == "q01"]["reference"].iloc[0]) == ["word1", "Word1"]
    assert (first["tokens"], first["input_tokens"], first["output_tokens"], first["cached_tokens"]) == (66, 56, 10, 16)
    assert first["latency"] > 0


def test_errors_and_what_was_not_scored_are_counted() -> None:
    df = dfevals.read_log(f"{FOLDER}/words/*.eval")
    failed = df[df["error"].notna()]
    assert failed["sample_id"].tolist() == ["q04", "q04"]
    assert failed["error"].str.contains("the service").all()
    assert failed[["match", "graded", "response"]].isna().all(axis=None)
    assert "2 rows have an error." in notes(df)
    assert "tried again after" in notes(df)
    assert "style_polite: 12 rows without an error were not scored." in notes(
        df
    )  # a None and a NaN, three epochs, two models
    rate = df.evals().metrics("match_evaluation_error_rate").frame["value"]
    assert rate.tolist() == pytest.approx([1 / 60, 1 / 60])
    assert "2 rows have an error." in repr(df.evals())
    assert "2 rows have an error." in df.evals()._repr_html_()


def test_two_runs_are_compared_by_task_with_all_their_trials() -> None:
    df = dfevals.read_log(f"{FOLDER}/words/*.eval")
    result = df.evals().compare(metrics="match_pass_rate")
    assert result.paired
    means = df.groupby(["id", "model"])["match"].mean().unstack()
    gap = means["mockllm/small"] - means["mockllm/large"]
    row = result.frame.iloc[0]
    assert row["difference"] == pytest.approx(gap.mean())
    by_t = df.evals().compare(metrics="match_pass_rate", test="t").frame.iloc[0]
    assert by_t["statistic"] == pytest.approx(gap.mean() / gap.sem())
    assert row["n"] == 20
    by = df.evals().compare(metrics="match_pass_rate", by="subject")
    assert by.frame["n"].tolist() == [20, 7, 7, 6]
    gate = df.evals().gate(
        [dfevals.Gate("match_pass_rate", vs="baseline", margin=0.5)], model="mockllm/large", baseline="mockllm/small"
    )
    assert gate.answer == "pass"


def test_json_and_eval_are_read_alike() -> None:
    (path,) = (FOLDER / "words_json").glob("*.json")
    df = dfevals.read_log(path)
    found = figures(df, "unit_mean")
    for entry in printed(path):
        if entry["reducer"] == "mean":
            told = {name: metric["value"] for name, metric in entry["metrics"].items()}
            mean = found[entry["model"], f"{COLUMN.get(entry['name'], entry['name'])}_unit_mean"]
            assert mean == pytest.approx((told.get("accuracy", told.get("mean")), told["stderr"]), abs=1e-12)
    zipped = dfevals.read_log(f"{FOLDER}/words/*.eval")
    assert list(df.columns) == list(zipped.columns)
    assert df.evals.roles == zipped.evals.roles


def test_clustered_standard_errors_are_those_of_the_header() -> None:
    df = dfevals.read_log(f"{FOLDER}/words/*.eval")
    means = df.groupby(["model", "id", "subject"], as_index=False)["graded"].mean()
    means.evals.set_roles(model="model", id="id", cluster="subject", outcomes=[dfevals.Outcome("graded", "score")])
    found = figures(means, "mean")
    for path in (FOLDER / "words").glob("*.eval"):
        entry = next(e for e in printed(path) if e["scorer"] == "graded" and e["reducer"] == "mean")
        told = next(m["value"] for m in entry["metrics"].values() if m["params"].get("cluster"))
        assert found[entry["model"], "mean"][1] == pytest.approx(told, abs=1e-12)


def test_a_run_taken_up_again_counts_once() -> None:
    df = dfevals.read_log(FOLDER / "retried")
    assert df["sample_id"].tolist() == list(range(1, 9))
    assert df.evals.roles.error is None
    assert figures(df, "mean")["toy/one", "mean"][0] == 0.5
    assert "run ended with status 'error': RuntimeError('out of memory')" in notes(df)
    assert "2 samples run again in a later file" in notes(df)
    first = sorted((FOLDER / "retried").glob("*.eval"))[0]
    alone = dfevals.read_log(first)
    assert len(alone) == 5
    assert "5 of 8 samples were logged" in notes(alone)


def test_a_run_that_was_broken_off_is_read_and_said() -> None:
    df = dfevals.read_log(f"{FOLDER}/broken/*")
    assert "the run was broken off; 6 of 12 samples were logged" in notes(df)
    assert df["match"].notna().all()


def test_limits_and_long_texts() -> None:
    df = dfevals.read_log(f"{FOLDER}/plain/*.eval")
    assert df["limit"].dropna().unique().tolist() == ["message"]
    assert f"{df['limit'].notna().sum()} samples stopped by the message limit" in notes(df)
    assert df["prompt"].str.len().max() > 300
    assert not df["prompt"].str.startswith("attachment:").any()


def test_runs_of_other_tasks_are_refused_by_name() -> None:
    paths = [sorted((FOLDER / name).glob("*.eval"))[-1] for name in ("words", "plain")]
    df = dfevals.read_log(paths)
    df["model"] = df["model"] + df["task"]
    with pytest.raises(DataError, match=r"did toy_words and .* did toy_plain: runs of different tasks"):
        df.evals().compare()


def _changed(folder: Path, **changes: object) -> Path:
    """A log as JSON with another header, or samples."""
    (path,) = (FOLDER / "words_json").glob("*.json")
    document = {**json.loads(path.read_text()), **changes}
    target = folder / "log.json"
    target.write_text(json.dumps(document))
    return target


def test_scores_that_are_texts(tmp_path: Path) -> None:
    (path,) = (FOLDER / "words_json").glob("*.json")
    sample = {**json.loads(path.read_text())["samples"][0]}
    values = ["yes", "NO", True, "0.25", "maybe", "C", ["C", 2], {"a": "P"}, float("inf")]
    samples = [{**sample, "id": i, "uuid": str(i), "scores": {"s": {"value": v}}} for i, v in enumerate(values)]
    df = dfevals.read_log(_changed(tmp_path, samples=samples))
    assert df["s"].tolist()[:4] == [1.0, 0.0, 1.0, 0.25]
    assert df["s"].isna().tolist()[4:] == [True, False, True, True, True]
    assert (df["s_0"].iloc[6], df["s_1"].iloc[6], df["s_a"].iloc[7]) == (1.0, 2.0, 0.5)
    assert "s: 1 text no score, such as 'maybe': missing here, 0 in Inspect's own figures." in notes(df)
    labels = [{**sample, "id": i, "scores": {"kind": {"value": v}}} for i, v in enumerate(["billing", "refund"])]
    (outcome,) = dfevals.read_log(_changed(tmp_path, samples=labels)).evals.roles.outcomes
    assert outcome.kind == "category"


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    assert "log version 9; the reader was tested with version 2" in notes(
        dfevals.read_log(_changed(tmp_path, version=9))
    )


def test_a_name_that_is_taken_gets_a_prefix(tmp_path: Path) -> None:
    (path,) = (FOLDER / "words_json").glob("*.json")
    sample = {**json.loads(path.read_text())["samples"][0], "metadata": {"model": "m", "error": "e", "uuid": 1}}
    sample["scores"] = {"cost": {"value": 0.5}}
    df = dfevals.read_log(_changed(tmp_path, samples=[sample]))
    assert {"metadata_model", "metadata_error", "metadata_uuid", "score_cost"} <= set(df.columns)
    assert df.evals.roles.outcomes[0].column == "score_cost"


def test_deflated_members_are_read_too(tmp_path: Path) -> None:
    (path,) = (FOLDER / "words_json").glob("*.json")
    document = json.loads(path.read_text())
    samples = document.pop("samples")
    target = tmp_path / "old.eval"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.json", json.dumps(document))
        for sample in samples:
            archive.writestr(f"samples/{sample['id']}_epoch_{sample['epoch']}.json", json.dumps(sample))
    assert dfevals.read_log(target)["match"].equals(dfevals.read_log(path)["match"])
