"""Runs of Inspect AI with its mock model, offline: `inspect_run.py FOLDER`.

Two models over epochs with three scorers, errors, tries again, a limit, tool calls and cached tokens; one of them as
JSON; a run that failed and its `eval_retry`; a run whose process ended in the middle.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

from inspect_ai import Epochs, Task, eval, eval_retry, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, get_model, modelapi
from inspect_ai.scorer import (
    CORRECT,
    INCORRECT,
    NOANSWER,
    PARTIAL,
    Score,
    Target,
    accuracy,
    match,
    mean,
    scorer,
    stderr,
)
from inspect_ai.solver import Generate, TaskState, generate, solver, use_tools
from inspect_ai.tool import tool

SUBJECTS = ("algebra", "anatomy", "law")
LONG = " Take all the time that you need, and think of every word that there is before you say one." * 4
TRIED: set[str] = set()


@tool
def lookup():  # type: ignore[no-untyped-def]
    """Look a word up."""

    async def execute(word: str) -> str:
        """Look a word up.

        Args:
            word: The word.
        """
        return f"{word}: a word"

    return execute


@scorer(metrics={"length": [mean(), stderr()], "polite": [accuracy(), stderr()]})
def style():  # type: ignore[no-untyped-def]
    """A dict of values; NaN and None where there is nothing to judge."""

    async def score(state: TaskState, target: Target) -> Score | None:
        number = int(str(state.sample_id)[1:3])
        if number == 7:
            return None
        polite = float("nan") if number == 9 else int("please" in state.output.completion)
        return Score(value={"length": len(state.output.completion), "polite": polite})

    return score


@scorer(metrics=[accuracy(), stderr(), stderr(cluster="subject")])
def graded():  # type: ignore[no-untyped-def]
    """Letters: right, half right, wrong, no answer."""

    async def score(state: TaskState, target: Target) -> Score:
        text = state.output.completion
        right = target.text in text
        letter = (
            NOANSWER if "know" in text else PARTIAL if right and "perhaps" in text else CORRECT if right else INCORRECT
        )
        return Score(value=letter, answer=text[-12:], explanation=f"looked for {target.text}")

    return score


@solver
def troubles():  # type: ignore[no-untyped-def]
    """Raises for two samples, of which one is well when tried again."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        number, key = str(state.sample_id)[1:3], f"{state.sample_id} {state.epoch}"
        if number == "04" and state.epoch == 1:
            raise RuntimeError("the service\nis down <b>")
        if number == "05" and key not in TRIED:
            TRIED.add(key)
            raise TimeoutError("too slow")
        return state

    return solve


def answers(name: str, skill: float):  # type: ignore[no-untyped-def]
    """What the mock model says: a tool call for every fifth question, then the answer."""

    def output(messages, tools, tool_choice, config) -> ModelOutput:  # type: ignore[no-untyped-def]
        question = next(m.text for m in messages if m.role == "user")
        number = int(question.split()[1].rstrip(":"))
        count = len([m for m in messages if m.role == "assistant"])
        usage = ModelUsage(input_tokens=20, output_tokens=5, total_tokens=33, input_tokens_cache_read=8)
        if number % 5 == 0 and count == 0:
            said = ModelOutput.for_tool_call(name, "lookup", {"word": f"word{number}"})
        else:
            draw = random.Random(f"{name} {question} {TURN[question]}")
            TURN[question] += 1
            right = draw.random() < skill
            text = f"The answer is word{number if right else number + 1}"
            said = ModelOutput.from_content(name, draw.choice(["", "", "please: ", "perhaps: "]) + text)
            if draw.random() < 0.05:
                said = ModelOutput.from_content(name, "I do not know")
        said.usage = usage
        return said

    class Turns(dict):  # type: ignore[type-arg]
        def __missing__(self, key: str) -> int:
            return 0

    TURN = Turns()
    return output


def questions(n: int = 20, prefix: str = "q") -> MemoryDataset:
    return MemoryDataset(
        [
            Sample(
                id=f"{prefix}{i:02d}" if i != 3 else f"{prefix}03/a_epoch_2",
                input=f"Question {i}: which word?",
                target=[f"word{i}", f"Word{i}"] if i % 2 else f"word{i}",
                metadata={"subject": SUBJECTS[i % 3], "level": i % 2, "source": {"page": i}},
            )
            for i in range(n)
        ],
        name="toy-words",
    )


def words(epochs: int) -> Task:
    return Task(
        dataset=questions(),
        solver=[troubles(), use_tools(lookup()), generate()],
        scorer=[match(location="end"), style(), graded()],
        epochs=Epochs(epochs, ["mean", "at_least_1"]) if epochs > 1 else None,
        name="toy_words",
        version=2,
        metadata={"suite": "toy"},
    )


def plain(name: str = "toy_plain") -> Task:
    return Task(
        dataset=MemoryDataset(
            [Sample(input=f"Question {i}: which word?" + LONG * (i == 11), target=f"word{i}") for i in range(12)]
        ),
        solver=[generate()],
        scorer=match(),
        name=name,
    )


@solver
def stops_once():  # type: ignore[no-untyped-def]
    """Raises for the fourth sample when the run is the first."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        if state.sample_id == 4 and os.environ.get("FIRST_RUN"):
            raise RuntimeError("out of memory")
        return state

    return solve


@modelapi(name="toy")
def toy():  # type: ignore[no-untyped-def]
    class Toy(ModelAPI):
        """A model that a run which is taken up again finds by its name."""

        async def generate(self, input, tools, tool_choice, config) -> ModelOutput:  # type: ignore[no-untyped-def]
            said = ModelOutput.from_content(self.model_name, "word")
            said.usage = ModelUsage(input_tokens=9, output_tokens=1, total_tokens=10)
            return said

    return Toy


@task
def toy_retried() -> Task:
    """Half of the targets agree with the one word that the model says."""
    samples = [Sample(input=f"Question {i}: which word?", target="other" if i % 2 else "word") for i in range(8)]
    return Task(dataset=MemoryDataset(samples), solver=[stops_once(), generate()], scorer=match())


def retried(folder: Path) -> None:
    """A run that ends with an error, and the run that carries on."""
    os.environ["FIRST_RUN"] = "1"
    options = {"display": "none", "log_dir": str(folder), "max_samples": 1}
    first = eval(f"{__file__}@toy_retried", model="toy/one", fail_on_error=True, **options)[0]
    del os.environ["FIRST_RUN"]
    second = eval_retry(first, display="none", log_dir=str(folder), max_samples=1)[0]
    assert (first.status, second.status) == ("error", "success")


def run(task: Task, name: str, skill: float, folder: Path, **more):  # type: ignore[no-untyped-def]
    model = get_model(f"mockllm/{name}", custom_outputs=answers(name, skill), memoize=False)
    options = {"display": "none", "log_dir": str(folder), "fail_on_error": False, "max_samples": 1} | more
    return eval(task, model=model, **options)[0]


def broken_off(folder: Path) -> None:
    """In a process of its own, which ends while the ninth sample is answered."""
    count = 0

    def output(messages, tools, tool_choice, config) -> ModelOutput:  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        if count == 9:
            os._exit(1)
        return answers("small", 0.5)(messages, tools, tool_choice, config)

    model = get_model("mockllm/small", custom_outputs=output, memoize=False)
    eval(plain("toy_broken"), model=model, display="none", log_dir=str(folder), log_buffer=1, max_samples=1)


def hide(value: object) -> None:
    """Empty all tracebacks."""
    if isinstance(value, dict):
        value |= {key: "…" for key in value if key.startswith("traceback")}
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        hide(part)


def main() -> None:
    folder = Path(sys.argv[1])
    if sys.argv[2:] == ["broken"]:
        return broken_off(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, skill in {"small": 0.5, "large": 0.75}.items():
        TRIED.clear()
        run(words(3), name, skill, folder / "words", retry_on_error=1)
    TRIED.clear()
    run(words(2), "small", 0.5, folder / "words_json", retry_on_error=1, log_format="json", limit=8)
    run(plain(), "small", 0.5, folder / "plain", message_limit=2)
    run(plain(), "large", 0.9, folder / "plain")
    retried(folder / "retried")
    for path in (folder / "words_json").glob("*.json"):  # what tells of the machine
        document = json.loads(path.read_text(encoding="utf-8"))
        hide(document)
        path.write_text(json.dumps(document), encoding="utf-8")
    subprocess.run([sys.executable, __file__, str(folder / "broken"), "broken"], check=False)
    return None


if __name__ == "__main__":
    main()
