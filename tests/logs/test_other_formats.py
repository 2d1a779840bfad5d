"""promptfoo, BFCL, tau-bench, MLflow as these tools wrote them; batches, OpenAI evals and spans as they are documented."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import dfevals
from dfevals.exceptions import DataError
from logs.logs_at_hand import LOGS, figures, notes


def written(folder: Path, name: str, lines: Iterable[Any]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


# promptfoo 0.121.20

PROMPTFOO = LOGS / "promptfoo" / "words.json"


def test_promptfoo_gives_the_counts_and_scores_that_it_prints() -> None:
    df = dfevals.read_log(PROMPTFOO)
    document = json.loads(PROMPTFOO.read_text())["results"]
    stats = document["stats"]
    assert (df["success"] == 1).sum() == stats["successes"]
    assert (df["success"] == 0).sum() == stats["failures"]
    assert df["error"].notna().sum() == stats["errors"] == 8
    for prompt in document["prompts"]:
        mine = df[df["model"] == f"{prompt['provider']} ({prompt['label']})"]
        told = prompt["metrics"]
        assert mine["score"].sum() == pytest.approx(told["score"])
        for name in ("word", "length"):
            assert mine[name].mean() == pytest.approx(told["namedScores"][name] / told["namedScoreWeights"][name])
        assert mine["cost"].sum() == pytest.approx(told["cost"])
        assert mine["tokens"].sum() == told["tokenUsage"]["total"]
        assert mine["cached_tokens"].sum() == told["tokenUsage"]["cached"]


def test_promptfoo_tells_errors_from_failed_assertions_and_finds_repeats() -> None:
    df = dfevals.read_log(PROMPTFOO)
    assert df["error"].dropna().unique().tolist() == ["the service is down"]
    assert df.loc[df["error"].notna(), ["success", "score", "word", "tokens", "latency"]].isna().all(axis=None)
    assert df["reason"].str.startswith("Expected output to contain").sum() == 32
    assert all(trials == [1, 2] for trials in df.groupby(["model", "id"])["repeat"].apply(list))
    assert df["id"].nunique() == 9
    roles = df.evals.roles
    assert (roles.unit, roles.repeat) == ("id", "repeat")
    assert "008" in df["number"].astype(str).tolist()
    assert set(df["level"].dropna()) == {"easy", "hard"}
    assert json.loads(df.loc[df["number"].astype(str) == "7", "response"].iloc[0])["word"] in ("seven", "nothing")
    assert set(df["reference"].dropna()) >= {"one", "nine"}
    compared = df.evals().compare("large (plain)", "small (plain)", "success_pass_rate")
    assert compared.frame["n"].tolist() == [8]


def test_promptfoo_lines_are_its_document() -> None:
    df, lines = dfevals.read_log(PROMPTFOO), dfevals.read_log(PROMPTFOO.with_suffix(".jsonl"))
    assert set(lines["model"]) == set(df["model"])
    assert lines.groupby("model")["success"].sum().equals(df.groupby("model")["success"].sum())
    assert set(lines["id"].str.split("/").str[-1]) == set(df["id"].str.split("/").str[-1])


def test_promptfoo_without_assertions_is_said(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in PROMPTFOO.with_suffix(".jsonl").read_text().splitlines()[:3]]
    rows[0] |= {
        "gradingResult": {"pass": True, "score": 1, "reason": "No assertions"},
        "failureReason": 0,
        "namedScores": {},
    }
    assert "1 row without assertions count as passed" in notes(dfevals.read_log(written(tmp_path, "a.jsonl", rows)))
    rows[1].pop("promptIdx")
    with pytest.raises(DataError, match=r"a.jsonl', line 2: is no result of promptfoo"):
        dfevals.read_log(written(tmp_path, "a.jsonl", rows))


# BFCL, bfcl-eval 2026.3.23

BFCL = LOGS / "bfcl"


def test_bfcl_gives_the_accuracy_that_it_prints_but_for_calls_that_failed() -> None:
    df = dfevals.read_log(sorted((BFCL / "result").rglob("*.json")))
    for model in ("toy-large", "toy-small"):
        score = next((BFCL / "score" / model).rglob("*.json"))
        header = json.loads(score.read_text().splitlines()[0])
        mine = df[df["model"] == model]
        assert len(mine) == header["total_count"]
        assert mine["valid"].sum() == header["correct_count"]
        assert mine["valid"].fillna(0).mean() == pytest.approx(header["accuracy"])
    crashed = df[df["error"].notna()]
    assert len(crashed) == 4
    assert crashed["valid"].isna().all()
    assert "simple_python: 3 calls failed: no score here, wrong in the tool's own accuracy." in notes(df)
    assert set(df.loc[df["valid"] == 0, "error_type"]) == {"type_error:simple", "value_error:string"}
    calls = json.loads(df["tool_calls"].dropna().iloc[0])
    assert set(calls[0]) == {"name", "arguments"}
    assert df.evals().compare(metrics="pass_rate").paired


def test_bfcl_scores_alone_name_only_what_failed(tmp_path: Path) -> None:
    score = next((BFCL / "score").rglob("*.json"))
    assert len(dfevals.read_log(score)) == 24  # the results stand where the tool puts them
    alone = tmp_path / score.name
    alone.write_text(score.read_text())
    with pytest.raises(DataError, match="names only what failed: give the file of results"):
        dfevals.read_log(alone)
    result = next((BFCL / "result").rglob("*.json"))
    alone = tmp_path / "other" / result.name
    alone.parent.mkdir()
    alone.write_text(result.read_text())
    assert "no file of scores, so nothing was judged" in notes(dfevals.read_log(alone))


# tau-bench

TAU = next((LOGS / "tau_bench").glob("*.json"))


def test_tau_bench_counts_an_exception_as_an_error() -> None:
    df = dfevals.read_log(TAU)
    entries = json.loads(TAU.read_text())
    assert (len(df), df["model"].iloc[0], df["task"].iloc[0]) == (24, "gpt-4o", "airline")
    assert "1 trial ended by an exception: no reward here, 0 in the tool's own figures" in notes(df)
    assert df["error"].dropna().tolist() == ["RateLimitError('slow down')"]
    rewards = pd.Series([e["reward"] for e in entries if "error" not in e["info"]])
    ev = df.evals()
    assert ev.metrics("pass_rate").frame["value"].iloc[0] == pytest.approx(rewards.mean())
    by_task = df.groupby("task_id")["reward"]
    hat = by_task.apply(lambda r: (r.sum() >= 3) if r.count() == 3 else r.sum() * (r.sum() - 1) * (r.sum() - 2) / 24)
    assert ev.metrics("pass_hat_k(k=3)").frame["value"].iloc[0] == pytest.approx(hat.astype(float).mean())
    assert json.loads(df["expected_tool_calls"].iloc[0])[0]["name"] == "book_reservation"
    assert json.loads(df["tool_calls"].iloc[0])[0] == {
        "name": "get_user_details",
        "arguments": {"user_id": "mia_li_3668"},
    }


def test_tau2_bench_tells_whose_fault_it_was(tmp_path: Path) -> None:
    def simulation(i: int, reason: str, reward: float | None) -> dict[str, Any]:
        told = None if reward is None else {"reward": reward, "reward_breakdown": {"DB": reward}}
        return {"id": f"s{i}", "task_id": "7", "trial": i, "seed": 1, "reward_info": told, "termination_reason": reason,
                "messages": [{"role": "assistant", "content": "hello"}], "agent_cost": 0.5, "user_cost": 0.1, "duration": 9.5}  # fmt: skip

    simulations = [
        simulation(0, "user_stop", 1.0),
        simulation(1, "agent_error", 0.0),
        simulation(2, "infrastructure_error", 0.0),
        simulation(3, "max_steps", None),
    ]
    info = {"environment_info": {"domain_name": "retail"}, "agent_info": {"llm": "gpt-x"}}
    path = tmp_path / "run.json"
    path.write_text(json.dumps({"timestamp": "2026-08-01", "info": info, "tasks": [], "simulations": simulations}))
    df = dfevals.read_log(path)
    assert df["reward"].tolist()[:2] == [1.0, 0.0]
    assert df["error"].tolist()[2:] == ["infrastructure_error", "no reward"]
    assert df["reward"].isna().tolist() == [False, False, True, True]
    assert (df["model"].iloc[0], df["task"].iloc[0], df["latency"].iloc[0], df["cost"].iloc[0]) == (
        "gpt-x",
        "retail",
        9.5,
        0.5,
    )


# MLflow 3.17.2

MLFLOW = LOGS / "mlflow"


def test_mlflow_gives_the_means_that_it_prints_but_for_rows_whose_call_failed() -> None:
    told = json.loads((MLFLOW / "printed.json").read_text())
    for name in ("large", "small"):
        df = dfevals.read_log(MLFLOW / f"{name}.json")
        raw = json.loads((MLFLOW / f"{name}.json").read_text())
        for scorer in ("right", "polite", "length"):
            answered = df[scorer].dropna()
            crashed = [row for row in raw if row["state"] == "ERROR"]
            scored = [float({"yes": 1, "no": 0}.get(row[f"{scorer}/value"], row[f"{scorer}/value"])) for row in crashed
                      if row[f"{scorer}/value"] is not None]  # fmt: skip
            whole = (answered.sum() + sum(scored)) / (len(answered) + len(scored))
            assert whole == pytest.approx(told[name][f"{scorer}/mean"])
        assert len(crashed) == 1
        assert df.loc[df["state"] == "ERROR", ["right", "polite", "length"]].isna().all(axis=None)
        assert "1 call failed; 3 scores of rows without an answer left out" in notes(df)
        assert {o.column: o.kind for o in df.evals.roles.outcomes} == {
            "right": "pass",
            "polite": "pass",
            "length": "score",
        }


def test_mlflow_runs_are_paired_by_their_requests(tmp_path: Path) -> None:
    df = dfevals.read_log([MLFLOW / "large.json", MLFLOW / "small.json"])
    assert df["model"].nunique() == 2
    result = df.evals().compare(metrics="right_pass_rate", by="subject")
    assert result.paired
    assert set(result.frame["subject"]) == {"(overall)", "algebra", "anatomy", "law"}
    assert df["reference"].iloc[0] == "word0"
    failed = df[df["length_error"].notna() & df["error"].isna()]
    assert failed["length"].isna().all()
    table = pd.read_json(MLFLOW / "large.json", dtype=False)
    for column in ("request", "trace_metadata", "tags", "assessments"):
        table[column] = table[column].map(json.dumps)
    table["right/value"] = table["right/value"].astype("boolean")
    table.to_parquet(tmp_path / "t.parquet")
    again = dfevals.read_log(tmp_path / "t.parquet")
    assert again["right"].equals(dfevals.read_log(MLFLOW / "large.json")["right"])


# Batches, as documented


def _request(i: int, model: str = "gpt-4o") -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": f"Question {i}"}], "metadata": {"subject": "law"}}
    return {"custom_id": f"q{i}", "method": "POST", "url": "/v1/chat/completions", "body": body}


def _completion(i: int, finish: str = "stop", **message: Any) -> dict[str, Any]:
    usage = {
        "prompt_tokens": 20,
        "completion_tokens": 5,
        "total_tokens": 25,
        "prompt_tokens_details": {"cached_tokens": 8},
    }
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": f"Answer {i}", **message},
        "finish_reason": finish,
    }
    body = {"object": "chat.completion", "model": "gpt-4o-2024-08-06", "choices": [choice], "usage": usage}
    return {"id": f"r{i}", "custom_id": f"q{i}", "response": {"status_code": 200, "body": body}, "error": None}


def test_batches_of_openai_are_joined_by_custom_id(tmp_path: Path) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "find", "arguments": '{"word": "a"}'}}
    outputs = [
        _completion(3, content=None, refusal="I cannot"),
        _completion(1, "length"),
        _completion(0),
        _completion(2, "tool_calls", content=None, tool_calls=[call]),
    ]
    limited = {"status_code": 429, "body": {"error": {"message": "Rate limit"}}}
    expired = {"code": "batch_expired", "message": "This request could not be executed"}
    failures = [
        {"id": "e1", "custom_id": "q4", "response": limited, "error": None},
        {"id": "e2", "custom_id": "q5", "response": None, "error": expired},
    ]
    paths = [
        written(tmp_path, "output.jsonl", outputs),
        written(tmp_path, "errors.jsonl", failures),
        written(tmp_path, "requests.jsonl", [_request(i) for i in range(7)]),
    ]
    df = dfevals.read_log(paths).set_index("custom_id")
    assert df["model"].unique().tolist() == ["gpt-4o-2024-08-06"]
    assert df["prompt"].to_dict() == {f"q{i}": f"Question {i}" for i in range(7)}
    assert df.loc["q0", ["response", "tokens", "input_tokens", "output_tokens", "cached_tokens"]].tolist() == [
        "Answer 0", 25, 20, 5, 8,
    ]  # fmt: skip
    assert json.loads(df.loc["q2", "tool_calls"]) == [{"name": "find", "arguments": {"word": "a"}}]
    assert (df.loc["q3", "refusal"], df.loc["q1", "truncated"]) == ("I cannot", True)
    assert df["error"].dropna().to_dict() == {
        "q4": "Rate limit", "q5": "This request could not be executed", "q6": "no result in the files",
    }  # fmt: skip
    assert df["answered"].tolist().count(1.0) == 4
    assert "1 request without a result" in notes(df)
    assert "1 answer cut off by its length" in notes(df)
    assert df["subject"].unique().tolist() == ["law"]
    alone = dfevals.read_log(paths[0])
    assert "4 result without its request" in notes(alone).replace("results", "result")


def test_responses_take_the_final_answer() -> None:
    from dfevals.logs.answers import answered

    def message(text: str, phase: str) -> dict[str, Any]:
        return {"type": "message", "phase": phase, "content": [{"type": "output_text", "text": text}]}

    body = {
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": []},
            message("Let me look.", "commentary"),
            {"type": "function_call", "name": "find", "arguments": '{"a": 1}', "call_id": "c"},
            message("Paris", "final_answer"),
        ],
        "usage": {
            "input_tokens": 9,
            "output_tokens": 4,
            "total_tokens": 13,
            "input_tokens_details": {"cached_tokens": 3},
        },
    }
    found = answered(body)
    assert (found["response"], found["tokens"], found["cached_tokens"], found["truncated"]) == ("Paris", 13, 3, False)
    cut = answered({**body, "status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}})
    assert cut["truncated"]
    gemini = {
        "candidates": [
            {"content": {"parts": [{"text": "hm", "thought": True}, {"text": "Paris"}]}, "finishReason": "MAX_TOKENS"}
        ],
        "usageMetadata": {
            "promptTokenCount": 5,
            "candidatesTokenCount": 2,
            "thoughtsTokenCount": 3,
            "totalTokenCount": 10,
        },
    }
    found = answered(gemini)
    assert (found["response"], found["output_tokens"], found["truncated"]) == ("Paris", 5, True)


def test_batches_of_anthropic_count_cached_tokens_as_input(tmp_path: Path) -> None:
    usage = {"input_tokens": 7, "output_tokens": 3, "cache_read_input_tokens": 90, "cache_creation_input_tokens": 10}
    content = [{"type": "thinking", "thinking": "…"}, {"type": "text", "text": "Par"}, {"type": "text", "text": "is"},
               {"type": "tool_use", "id": "t", "name": "find", "input": {"a": 1}}]  # fmt: skip
    message = {"model": "claude-x", "content": content, "stop_reason": "max_tokens", "usage": usage}
    lines = [
        {"custom_id": "b", "result": {"type": "succeeded", "message": message}},
        {
            "custom_id": "a",
            "result": {"type": "errored", "error": {"type": "error", "error": {"type": "e", "message": "Overloaded"}}},
        },
        {"custom_id": "c", "result": {"type": "expired"}},
    ]
    requests = [
        {"custom_id": i, "params": {"model": "claude-x", "messages": [{"role": "user", "content": i}]}} for i in "abc"
    ]
    whole = tmp_path / "requests.json"
    whole.write_text(json.dumps({"requests": requests}))
    df = dfevals.read_log([written(tmp_path, "r.jsonl", lines), whole]).set_index("custom_id")
    assert df.loc["b", ["response", "input_tokens", "cached_tokens", "tokens"]].tolist() == ["Paris", 107, 90, 110]
    assert df["error"].dropna().to_dict() == {"a": "Overloaded", "c": "expired"}
    assert df["prompt"].to_dict() == {"b": "b", "a": "a", "c": "c"}
    assert df.evals().metrics("pass_rate").frame["value"].iloc[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("line", [{"custom_id": 7, "response": {}}, {"custom_id": "a", "response": [1]}, {"x": 1}])
def test_a_line_of_no_batch_is_named(tmp_path: Path, line: dict[str, Any]) -> None:
    path = written(tmp_path, "output.jsonl", [_completion(0), line])
    with pytest.raises(DataError, match=r"output.jsonl', line 2: is no line of a batch"):
        dfevals.read_log(path)


# OpenAI evals, as its recorder writes


def test_events_of_openai_evals(tmp_path: Path) -> None:
    def event(i: int, own: str, kind: str, **data: Any) -> dict[str, Any]:
        return {
            "run_id": "r",
            "event_id": i,
            "sample_id": own,
            "type": kind,
            "data": data,
            "created_by": "",
            "created_at": "t",
        }

    spec = {"completion_fns": ["gpt-3.5-turbo"], "eval_name": "math.dev.v0", "base_eval": "math", "split": "dev",
            "run_config": {"seed": 1}, "created_at": "2026-01-01", "run_id": "r"}  # fmt: skip
    lines = [
        {"spec": spec},
        event(0, "math.dev.0", "sampling", prompt=[{"role": "user", "content": "1+1"}], sampled=["2"]),
        event(1, "math.dev.0", "match", correct=True, expected="2", picked="2", sampled="2"),
        event(2, "math.dev.1", "match", correct=False, expected=["3", "three"], picked=None),
        event(3, "math.dev.2", "error", type="Timeout", message="slow"),
        {"final_report": {"accuracy": 0.5}},
    ]
    df = dfevals.read_log(written(tmp_path, "log.jsonl", lines))
    assert df[["model", "task"]].iloc[0].tolist() == ["gpt-3.5-turbo", "math"]
    assert (df["prompt"].iloc[0], df["response"].iloc[0], df["reference"].iloc[0]) == ("1+1", "2", "2")
    assert df["error"].tolist()[2] == "Timeout: slow"
    assert figures(df, "mean")["gpt-3.5-turbo", "mean"][0] == 0.5
    assert "no final report" in notes(dfevals.read_log(written(tmp_path, "cut.jsonl", lines[:-1])))


# Spans


def _span(i: int, **more: Any) -> dict[str, Any]:
    attributes = [
        {"key": "gen_ai.request.model", "value": {"stringValue": "m"}},
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "9007199254740993"}},
        {"key": "gen_ai.usage.output_tokens", "value": {"intValue": 2}},
    ]
    return {"traceId": "a" * 32, "spanId": f"{i:016x}", "name": "chat", "kind": 3, "startTimeUnixNano": "1000000000",
            "endTimeUnixNano": "3500000000", "attributes": attributes, "status": {}, **more}  # fmt: skip


def test_spans_one_row_each(tmp_path: Path) -> None:
    resource = {"attributes": [{"key": "service.version", "value": {"stringValue": "1.2"}}]}
    failed = {"status": {"code": 2, "message": "down"}}
    batches = [
        {"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [_span(1), _span(2, **failed)]}]}]},
        {
            "resource_spans": [
                {"resource": resource, "scope_spans": [{"spans": [_span(2), _span(3, spanId="AAAAAAAAAAM=")]}]}
            ]
        },
    ]
    df = dfevals.read_log(written(tmp_path, "spans.jsonl", batches))
    assert df["span_id"].tolist() == [f"{i:016x}" for i in (1, 2, 3)]
    assert df["latency"].tolist() == [2.5] * 3
    assert df["input_tokens"].tolist() == [9007199254740993] * 3
    assert df["ok"].tolist() == [1.0, 0.0, 1.0]
    assert df["error"].tolist()[1] == "down"
    assert df["release"].unique().tolist() == ["1.2"]
    assert "1 span there a second time left out" in notes(df)
    printed = {"name": "chat", "context": {"trace_id": "0x" + "b" * 32, "span_id": "0x" + "c" * 16}, "parent_id": None,
               "kind": "SpanKind.CLIENT", "start_time": "2026-01-01T00:00:00.500000Z", "end_time": "2026-01-01T00:00:02Z",
               "status": {"status_code": "ERROR"}, "attributes": {"llm.model_name": "n"}}  # fmt: skip
    df = dfevals.read_log(written(tmp_path, "printed.jsonl", [printed]))
    assert df.loc[0, ["trace_id", "model", "latency", "kind", "ok"]].tolist() == ["b" * 32, "n", 1.5, "client", 0.0]
    with pytest.raises(DataError, match=r"line 2: is no span"):
        dfevals.read_log(
            written(tmp_path, "bad.jsonl", [batches[0], {"resourceSpans": [{"scopeSpans": [{"spans": [{}]}]}]}])
        )
