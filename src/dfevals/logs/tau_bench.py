"""tau-bench (a list of trajectories) and tau2-bench (a document with simulations)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dfevals.logs.messages import tool_calls
from dfevals.logs.opening import Source, as_text
from dfevals.logs.runs import Columns, Run, count, many, score
from dfevals.roles.declared import Outcome

__all__ = ["is_tau_bench", "read_tau_bench"]

START = re.compile(rb'\s*\[\s*\{\s*"task_id"\s*:')
CHECKPOINT = re.compile(r"(?:tool-calling|act|react|few-shot)-(?P<model>.+)-[\d.]+_range_.*_user-.*")
NOT_THE_AGENT = ("infrastructure_error", "unexpected_error", "user_error", "timeout")
REWARD = {"reward": Outcome("reward", range=(0.0, 1.0), error_column="error")}


def is_tau_bench(source: Source) -> bool:
    """Whether a file is one of trajectories or simulations."""
    if not source.is_document:
        return False
    two = b'"simulations"' in source.head and b'"info"' in source.head
    return two or (bool(START.match(source.head)) and b'"reward"' in source.head)


def read_tau_bench(sources: Sequence[Source]) -> Iterator[Run]:
    """One run per file."""
    for source in sources:
        document = source.document
        try:
            if isinstance(document, dict):
                yield _simulations(source, document)
            else:
                yield _trajectories(source, document)
        except (KeyError, TypeError, AttributeError) as error:
            source.wrong(f"is no file of tau-bench ({type(error).__name__}: {error})")


def _trajectories(source: Source, entries: Sequence[Mapping[str, Any]]) -> Run:
    """`{task_id, reward, info, traj, trial}`; what was broken off by an exception has reward 0 and `info.error`."""
    columns, failed = Columns(), 0
    for entry in entries:
        info, messages = entry.get("info") or {}, entry.get("traj") or []
        error = info.get("error") if isinstance(info, dict) else None
        failed += error is not None
        told = info.get("task") or {} if isinstance(info, dict) else {}
        columns.add(
            _row(entry["task_id"], entry.get("trial"), entry["reward"], messages, error)
            | {"prompt": told.get("instruction"), "expected_tool_calls": as_text(_expected(told.get("actions")))}
            | {"user_cost": score(info.get("user_cost")) if isinstance(info, dict) else None}
        )
    named = CHECKPOINT.fullmatch(source.path.stem)
    model = named["model"] if named else source.path.stem
    return Run(source.label, _domain(source), model, columns.whole(), dict(REWARD), notes=_failed(source, failed))


def _domain(source: Source) -> str:
    found = re.search(r"airline|retail|telecom|banking|mock", str(source.path.name) + " " + source.path.parent.name)
    return found[0] if found else "tau-bench"


def _failed(source: Source, n: int) -> list[str]:
    if not n:
        return []
    return [f"{source.name}: {many(n, 'trial')} ended by an exception: no reward here, 0 in the tool's own figures."]


def _row(task: Any, trial: Any, reward: Any, messages: Sequence[Any], error: Any) -> dict[str, Any]:
    calls = tool_calls(messages)
    return {
        "id": task,
        "task_id": task,
        "repeat": trial,
        "reward": None if error is not None else score(reward),
        "response": _last_words(messages),
        "tool_calls": as_text(calls),
        "trajectory": as_text(list(messages)) if messages else None,
        "turns": len(messages),
        "error": None if error is None else str(error),
    }


def _last_words(messages: Sequence[Any]) -> str | None:
    texts = [m["content"] for m in messages if m.get("role") == "assistant" and isinstance(m.get("content"), str)]
    return texts[-1] if texts else None


def _expected(actions: Any) -> Any:
    if not isinstance(actions, list):
        return None
    return [{"name": a["name"], "arguments": a.get("kwargs", a.get("arguments"))} for a in actions]


# tau2-bench


def _simulations(source: Source, document: Mapping[str, Any]) -> Run:
    columns, failed = Columns(), 0
    for entry in document["simulations"]:
        ended, told = entry.get("termination_reason"), entry.get("reward_info") or {}
        error = ended if ended in NOT_THE_AGENT else "no reward" if not told else None
        failed += error is not None
        row = _row(entry["task_id"], entry.get("trial"), told.get("reward"), entry.get("messages") or [], error)
        costs = [score(entry.get(name)) for name in ("agent_cost", "user_cost")]
        parts = told.get("reward_breakdown") or {}
        columns.add(
            row
            | {f"reward_{name.lower()}": None if error else score(value) for name, value in parts.items()}
            | {"cost": costs[0], "user_cost": costs[1], "latency": score(entry.get("duration")), "ended": ended}
            | {"run": entry.get("id"), "seed": count(entry.get("seed"))}
        )
    whole = columns.whole()
    info = document.get("info") or {}
    outcomes = REWARD | {
        name: Outcome(name, range=(0.0, 1.0), error_column="error") for name in whole if name.startswith("reward_")
    }
    return Run(
        source.label,
        str((info.get("environment_info") or {}).get("domain_name") or _domain(source)),
        str((info.get("agent_info") or {}).get("llm") or source.path.stem),
        whole,
        outcomes,
        document.get("timestamp"),
        notes=_failed(source, failed),
    )
