"""Runs of lm-evaluation-harness on local tasks with a toy model, offline: `lm_eval_run.py FOLDER`.

Two models, two of the tasks twice in one folder; a task with two filters, one with pairs for corpus metrics, one with
mutual information, one with repeats.
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}

import lm_eval
from lm_eval.api.model import LM
from lm_eval.loggers import EvaluationTracker
from lm_eval.tasks import TaskManager

SUBJECTS = ("algebra", "anatomy", "law")


class Toy(LM):
    """Right with a chance that is its skill: the answer is drawn from the prompt and the name, so runs repeat."""

    def __init__(self, name: str, skill: float) -> None:
        super().__init__()
        self.name, self.skill = name, skill

    def loglikelihood(self, requests):  # type: ignore[no-untyped-def]
        return [(-self._draw(*request.args).uniform(0.5, 9) + 4 * self._knows(request), False) for request in requests]

    def loglikelihood_rolling(self, requests):  # type: ignore[no-untyped-def]
        return [-2.5 * len(request.args[0].split()) for request in requests]

    def generate_until(self, requests):  # type: ignore[no-untyped-def]
        return [self._answer(request) for request in requests]

    def _draw(self, *texts: object) -> random.Random:
        return random.Random(f"{self.name} {texts}")

    def _knows(self, request) -> bool:  # type: ignore[no-untyped-def]
        right = request.doc["choices"][request.doc["answer"]]
        return request.args[1].strip() == right and self._draw(request.doc["question"]).random() < self.skill

    def _answer(self, request) -> str:  # type: ignore[no-untyped-def]
        draw = self._draw(request.args[0])
        total = request.doc["answer"] if draw.random() < self.skill else request.doc["answer"] + 1
        if isinstance(total, str):
            return total
        return draw.choice([f"So it is {total}. #### {total}", f"The answer is {total}.", "I do not know."])


def questions(folder: Path) -> None:
    draw = random.Random(0)
    choice = [
        {
            "question": f"Question {i}: which word is the {i % 4 + 1}. of the list?",
            "choices": [f"word{i}{letter}" for letter in "abcd"],
            "answer": i % 4,
            "subject": SUBJECTS[i % 3],
            "code": f"{i:03d}",
        }
        for i in range(40)
    ]
    sums = []
    for _ in range(30):
        a, b = draw.randint(2, 60), draw.randint(2, 60)
        sums.append({"question": f"What is {a} + {b}?", "answer": a + b, "level": "hard" if a + b > 60 else "easy"})
    for name, rows in {"choice": choice, "sums": sums}.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def tasks(folder: Path) -> list[dict[str, object]]:
    def files(name: str) -> dict[str, object]:
        return {
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}},
            "test_split": "test",
        }

    choice = {
        **files("choice"),
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}\nAnswer:",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "metadata": {"version": 1.0},
    }
    sums = {
        **files("sums"),
        "output_type": "generate_until",
        "doc_to_text": "{{question}} End with #### and the number.",
        "doc_to_target": "{{answer}}",
        "generation_kwargs": {"until": ["\n\n"], "do_sample": False},
        "metadata": {"version": 2.0},
    }
    exact = {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}
    first = {"function": "take_first"}

    def accuracy(name: str) -> dict[str, object]:
        return {"metric": name, "aggregation": "mean", "higher_is_better": True}

    return [
        {"task": "toy_choice", **choice, "metric_list": [accuracy("acc"), accuracy("acc_norm")]},
        {"task": "toy_mutual", **choice, "metric_list": [accuracy("acc"), accuracy("acc_mutual_info")]},
        {
            "task": "toy_corpus",
            **choice,
            "metric_list": [
                accuracy("acc"),
                {"metric": "mcc", "aggregation": "matthews_corrcoef", "higher_is_better": True},
            ],
        },
        {
            "task": "toy_sums",
            **sums,
            "metric_list": [{**exact, "ignore_case": True}],
            "filter_list": [
                {
                    "name": "strict-match",
                    "filter": [{"function": "regex", "regex_pattern": r"#### (\-?[0-9]+)"}, first],
                },
                {
                    "name": "flexible-extract",
                    "filter": [{"function": "regex", "group_select": -1, "regex_pattern": r"(-?[0-9]+)"}, first],
                },
            ],
        },
        {
            "task": "toy_repeats",
            **sums,
            "repeats": 3,
            "metric_list": [exact],
            "filter_list": [
                {
                    "name": "first-number",
                    "filter": [{"function": "regex", "regex_pattern": r"(-?[0-9]+)"}, first],
                }
            ],
        },
    ]


def run(folder: Path, model: Toy, configs: list[dict[str, object]]) -> None:
    tracker = EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.log_experiment_args(
        model_source="toy", model_args=f"pretrained={model.name}", system_instruction=None, chat_template=None,
        fewshot_as_multiturn=False,
    )  # fmt: skip
    results = lm_eval.simple_evaluate(
        model=model,
        tasks=configs,
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=1000,
        log_samples=True,
    )
    samples = results.pop("samples")
    results["config"] = {"model": "toy", "model_args": f"pretrained={model.name}"} | (results.get("config") or {})
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in results["configs"]:
        tracker.save_results_samples(task_name=task, samples=samples[task])


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    questions(folder)
    configs = tasks(folder)
    run(folder, Toy("org/small", 0.5), configs)
    run(folder, Toy("org/large", 0.8), configs)
    run(folder, Toy("org/large", 0.8), configs[:1])
    for path in folder.glob("*/results_*.json"):  # what tells of the machine
        document = json.loads(path.read_text(encoding="utf-8").replace(f"{folder}/", ""))
        document.pop("pretty_env_info", None)
        path.write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
