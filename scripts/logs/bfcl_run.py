"""Results of two toy models for entries that bfcl-eval ships, and their scores by its own checker: `bfcl_run.py FOLDER`."""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1]).resolve()
FOLDER.mkdir(parents=True, exist_ok=True)
os.environ["BFCL_PROJECT_ROOT"] = str(FOLDER)

from bfcl_eval.constants.model_config import MODEL_CONFIG_MAPPING  # noqa: E402
from bfcl_eval.eval_checker import eval_runner  # noqa: E402
from bfcl_eval.utils import load_dataset_entry, load_ground_truth_entry  # noqa: E402

CATEGORY, SIZE = "simple_python", 24


class Handler:
    """Decodes what the toy models write, as handlers of models that call functions do."""

    def decode_ast(self, result, language, has_tool_call_tag):  # type: ignore[no-untyped-def]
        return [{name: json.loads(arguments) for name, arguments in call.items()} for call in result]


def results(name: str, skill: float, prompts: list[dict], truths: list[dict]) -> list[dict]:
    found = []
    for prompt, truth in zip(prompts, truths, strict=True):
        draw = random.Random(f"{name} {prompt['id']}")
        ((function, arguments),) = truth["ground_truth"][0].items()
        said = {key: values[0] for key, values in arguments.items() if values[0] != ""}
        if draw.random() > skill:
            said[next(iter(said))] = "something else"
        result = [{function: json.dumps(said)}] if draw.random() > 0.05 else "Error during inference: time out"
        found.append({
            "id": prompt["id"], "result": result, "input_token_count": 100 + draw.randint(0, 50),
            "output_token_count": draw.randint(10, 40), "latency": round(draw.uniform(0.2, 2), 3),
        })  # fmt: skip
    return found


def main() -> None:
    prompts = load_dataset_entry(CATEGORY)[:SIZE]
    truths = load_ground_truth_entry(CATEGORY)[:SIZE]
    for name, skill in {"toy-large": 0.9, "toy-small": 0.6}.items():
        MODEL_CONFIG_MAPPING[name] = next(c for c in MODEL_CONFIG_MAPPING.values() if not c.underscore_to_dot)
        made = results(name, skill, prompts, truths)
        place = FOLDER / "result" / name / "non_live" / f"BFCL_v4_{CATEGORY}_result.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(json.dumps(line) + "\n" for line in made), encoding="utf-8")
        eval_runner.ast_file_runner(Handler(), made, prompts, truths, CATEGORY, name, FOLDER / "score")
    for path in [*FOLDER.glob(".file_locks/*"), FOLDER / ".file_locks"]:
        path.unlink() if path.is_file() else path.rmdir()


if __name__ == "__main__":
    main()
