"""The tables of `mlflow.genai.evaluate` for two toy models, offline: `mlflow_run.py FOLDER`."""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
from pathlib import Path

os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "MLFLOW_GENAI_EVAL_MAX_WORKERS": "1"}

import mlflow
from mlflow.entities import Feedback
from mlflow.genai.scorers import scorer

SUBJECTS = ("algebra", "anatomy", "law")


@scorer
def right(outputs, expectations):  # type: ignore[no-untyped-def]
    return str(expectations["expected_response"]) in str(outputs)


@scorer
def polite(outputs):  # type: ignore[no-untyped-def]
    return Feedback(value="yes" if "please" in str(outputs) else "no", rationale="looked for please")


@scorer
def length(outputs):  # type: ignore[no-untyped-def]
    if "word7" in str(outputs):
        raise ValueError("cannot be measured")
    return len(str(outputs))


def predict(name: str, skill: float):  # type: ignore[no-untyped-def]
    def answer(question: str, subject: str) -> str:
        number = int(question.split()[1])
        if number == 5:
            raise RuntimeError("the service is down")
        draw = random.Random(f"{name} {question}")
        return f"{draw.choice(['', 'please: '])}word{number if draw.random() < skill else number + 20}"

    return answer


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    mlflow.set_tracking_uri(f"sqlite:///{tempfile.mkdtemp()}/mlflow.db")
    data = [
        {
            "inputs": {"question": f"Question {i} ?", "subject": SUBJECTS[i % 3]},
            "expectations": {"expected_response": f"word{i}"},
        }
        for i in range(14)
    ]
    printed = {}
    for name, skill in {"large": 0.9, "small": 0.5}.items():
        result = mlflow.genai.evaluate(data=data, predict_fn=predict(name, skill), scorers=[right, polite, length])
        table = result.result_df.drop(columns=[c for c in ("trace", "spans") if c in result.result_df])
        printed[name] = {key: float(value) for key, value in result.metrics.items()}
        hidden = ("mlflow.source", "mlflow.user", "mlflow.artifactLocation")  # what tells of the machine
        for column in ("trace_metadata", "tags"):
            table[column] = [
                {k: v for k, v in told.items() if not k.startswith(hidden) or k == "mlflow.sourceRun"}
                for told in table[column]
            ]
        table.to_json(folder / f"{name}.json", orient="records", default_handler=str)
    (folder / "printed.json").write_text(json.dumps(printed, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
