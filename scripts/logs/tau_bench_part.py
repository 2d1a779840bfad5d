"""Trajectories of some tasks in tau-bench's own file shape, from a table of its historical trajectories.

    tau_bench_part.py TABLE FOLDER

TABLE (.parquet) has the columns task_id, trial, reward, user_cost, instruction, expected_actions and messages (JSON
texts), made from `historical_trajectories/gpt-4o-airline.json` of the repository of tau-bench (MIT licence). Messages of
tools are shortened. The last trial is as the tool writes one that an exception ended.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pandas as pd

TASKS, LONGEST = 6, 200


def entry(row: Any) -> dict[str, Any]:
    messages = json.loads(row.messages)
    for message in messages:
        if message["role"] == "tool" and isinstance(message.get("content"), str):
            message["content"] = message["content"][:LONGEST]
    task = {"instruction": row.instruction, "actions": json.loads(row.expected_actions)}
    return {
        "task_id": int(row.task_id),
        "reward": float(row.reward),
        "info": {"task": task, "user_cost": float(row.user_cost)},
        "traj": messages,
        "trial": int(row.trial),
    }


def main() -> None:
    table = pd.read_parquet(sys.argv[1])
    entries = [entry(row) for row in table[table["task_id"] < TASKS].itertuples()]
    last = entries[-1]
    entries[-1] = {
        **last,
        "reward": 0.0,
        "info": {"error": "RateLimitError('slow down')", "traceback": "…"},
        "traj": [],
    }
    path = Path(sys.argv[2]) / "tool-calling-gpt-4o-0.0_range_0--1_user-gpt-4o-llm_airline.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
