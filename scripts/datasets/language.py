"""Outputs of language models with human labels, verdicts or traces: they are taken as they come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from datasets.recipe import Recipe, categorise, read_parquet

PUBLISHED = "none by this project; labels and counts are those published with the origin"


def refchecker(source: Path) -> pd.DataFrame:
    """Seven language models on 300 questions, with a human label for each claim."""
    frame = read_parquet(source / "refchecker_llm_claims.parquet")
    frame["contradicted"] = frame["n_contradicted"] > 0
    faithful = (frame["n_entailed"] == frame["n_claims"]).astype("boolean")
    frame["faithful"] = faithful.mask(frame["n_claims"] == 0)
    return categorise(frame, "setting", "model")


REFCHECKER = Recipe(
    name="refchecker",
    title="RefChecker: claims of seven language models, labelled by people",
    task="outcomes",
    used_for="comparing many models paired by question, routing by setting, gates, canary releases",
    build=refchecker,
    meanings={
        "setting": "what the model was given: an accurate context, a noisy one, or none",
        "id": "the question; each setting has its own 100, the same for all models",
        "model": "the language model",
        "response": "the model's answer",
        "claims": "JSON: claims extracted from the answer, as triplets",
        "labels": "JSON: human label of each claim, Entailment, Neutral or Contradiction",
        "n_claims": "number of claims",
        "n_entailed": "number of claims that the reference entails",
        "n_neutral": "number of claims that the reference neither entails nor contradicts",
        "n_contradicted": "number of claims that the reference contradicts",
        "contradicted": "n_contradicted > 0: at least one claim contradicts the reference",
        "faithful": "n_entailed == n_claims: every claim is entailed; missing where there is no claim to judge",
    },
    origin="github.com/amazon-science/RefChecker, benchmark/human_annotations_v1",
    licence="Apache-2.0",
    citation="Hu et al. (2024), RefChecker: Reference-based fine-grained hallucination checker and benchmark for large "
    "language models, arXiv:2405.14486",
    scores=PUBLISHED,
    note="A long frame: one row per model and question. `contradicted` and `faithful` are added, plain functions of the "
    "counts. An answer without claims abstains or says nothing that can be judged.",
    roles={"outcomes": ["faithful"], "model": "model", "id": "id", "cohorts": ["setting"]},
)


def halueval(source: Path) -> pd.DataFrame:
    """Answers of ChatGPT to user prompts, with a human verdict on hallucination."""
    frame = read_parquet(source / "halueval_general.parquet")
    frame["ID"] = frame["ID"].where(frame["ID"] != "")
    return categorise(frame, "label", "model")


HALUEVAL = Recipe(
    name="halueval",
    title="HaluEval (general): ChatGPT answers with a human verdict on hallucination",
    task="text",
    used_for="checking evaluators and judges against people",
    build=halueval,
    meanings={
        "ID": "number of the prompt in the origin; two rows have the text 'ID' and one none, as in the origin",
        "prompt": "what the user asked",
        "response": "ChatGPT's answer",
        "label": "label: does the answer contain a hallucination, 'yes' or 'no'",
        "hallucination_spans": "JSON: the hallucinated passages",
        "model": "the language model",
    },
    origin="github.com/RUCAIBox/HaluEval@b7253db, data/general_data.json",
    licence="MIT",
    citation="Li et al. (2023), HaluEval: A large-scale hallucination evaluation benchmark for large language models, "
    "EMNLP, arXiv:2305.11747",
    scores=PUBLISHED,
    call='df.evals.annotate([...]).evals(y_true="label", pos_label="yes", y_score="<the evaluator\'s column>")',
)


def halueval_qa(source: Path) -> pd.DataFrame:
    """Questions with knowledge, a right answer and a hallucinated one."""
    return read_parquet(source / "halueval_qa_pairs.parquet")


HALUEVAL_QA = Recipe(
    name="halueval_qa",
    title="HaluEval (question answering): a right and a hallucinated answer to the same question",
    task="text",
    used_for="calibrating and checking groundedness evaluators on pairs",
    build=halueval_qa,
    meanings={
        "knowledge": "the passage that holds the answer",
        "question": "the question",
        "right_answer": "the right answer",
        "hallucinated_answer": "a plausible wrong answer written by ChatGPT",
    },
    origin="github.com/RUCAIBox/HaluEval@b7253db, generation/qa/qa_multi-turn_data.json",
    licence="MIT",
    citation=HALUEVAL.citation,
    scores=PUBLISHED,
    call='df.melt(["knowledge", "question"], ["right_answer", "hallucinated_answer"], "kind", "answer")'
    '.evals.annotate([dfevals.evaluators.Groundedness(response="answer", context="knowledge")])',
)


def frank(source: Path) -> pd.DataFrame:
    """Automatic metrics of summaries beside human factuality."""
    return categorise(read_parquet(source / "frank_metrics_vs_human.parquet"), "model_name", "dataset", "split")


ERRORS = {
    "Semantic_Frame_Errors": "semantic frame errors (RelE, EntE, CircE)",
    "Discourse_Errors": "discourse errors (CorefE, LinkE)",
    "Content_Verifiability_Errors": "errors of content verifiability (OutE, GramE)",
    "RelE": "errors of the relation",
    "EntE": "errors of an entity",
    "CircE": "errors of a circumstance",
    "OutE": "statements from outside the article",
    "GramE": "statements without meaning for their grammar",
    "CorefE": "errors of coreference",
    "LinkE": "errors of discourse links",
    "Other": "other errors",
}

FRANK = Recipe(
    name="frank",
    title="FRANK: automatic metrics of summaries against human factuality",
    task="regression",
    used_for="judging metrics by people: correlation of automatic metrics with factuality, clustered by article",
    build=frank,
    meanings={
        "hash": "the article",
        "model_name": "the summariser",
        "dataset": "where the article is from, cnndm or bbc (XSum)",
        "Rouge 1": "ROUGE-1",
        "Rouge 2": "ROUGE-2",
        "Rouge L": "ROUGE-L",
        "Bleu": "BLEU",
        "Meteor": "METEOR",
        "BertScore P": "BERTScore precision against the reference summary",
        "BertScore R": "BERTScore recall against the reference summary",
        "BertScore F1": "BERTScore F1 against the reference summary",
        "BertScore P Art": "BERTScore precision against the article",
        "BertScore R Art": "BERTScore recall against the article",
        "BertScore F1 Art": "BERTScore F1 against the article",
        "FactCC": "FactCC, share of sentences judged factual",
        "FEQA": "FEQA; missing where it has no value",
        "Dep Entail": "dependency arc entailment; missing where it has no value",
        "QAGS": "QAGS",
        "split": "the origin's split, valid or test",
        "Factuality": "label: share of sentences that people found factual, 0…1",
    }
    | {name: f"share of sentences free of {text}, 0…1" for name, text in ERRORS.items()}
    | {f"Flip_{name}": f"factuality with {text} forgiven: the origin's ablation" for name, text in ERRORS.items()},
    origin="github.com/artidoro/frank@80a88fb, data/baseline_factuality_metrics_outputs.json and human_annotations.json",
    licence="MIT",
    citation="Pagnoni, Balachandran and Tsvetkov (2021), Understanding factuality in abstractive summarization with "
    "FRANK, NAACL, arXiv:2104.13346",
    scores="automatic metrics published with the origin",
    note="Metrics have their own scales: compare them by correlation, not by error. Rows of one article (`hash`) are not "
    "independent.",
    roles={
        "y_true": "Factuality",
        "y_pred": {"bertscore": "BertScore P Art", "factcc": "FactCC", "qags": "QAGS", "rouge": "Rouge L"},
        "task": "regression",
        "cluster": "hash",
        "cohorts": ["dataset", "model_name"],
    },
)


def jailbreak(source: Path) -> pd.DataFrame:
    """Outcomes of published attacks on four language models."""
    frame = read_parquet(source / "jailbreakbench_outcomes.parquet")
    frame = frame.astype({"jailbroken": "bool", "jailbroken_llama_guard1": "boolean"})
    frame.insert(0, "case", frame["method"] + "-" + frame["index"].astype(str))
    return categorise(frame, "file", "method", "attack_type", "model", "category")


JAILBREAK = Recipe(
    name="jailbreak",
    title="JailbreakBench: outcomes of published attacks on four language models",
    task="outcomes",
    used_for="models × attacks, gates, paired comparison of models by case",
    build=jailbreak,
    meanings={
        "case": "attack and behaviour: what the models have in common",
        "file": "file of the origin",
        "method": "the attack",
        "attack_type": "access that the attack has: black box, white box, transfer or manual",
        "model": "the language model attacked",
        "index": "number of the behaviour, 0 to 99",
        "behavior": "short name of the behaviour asked for",
        "category": "category of the behaviour",
        "jailbroken": "outcome: did the attack succeed, by the origin's judge",
        "jailbroken_llama_guard1": "the same by Llama Guard; missing where it was not run",
        "number_of_queries": "queries spent by the attack; missing where not recorded",
        "prompt_tokens": "tokens of the prompts; missing where not recorded",
        "response_tokens": "tokens of the responses; missing where not recorded",
        "response_chars": "length of the response, characters",
        "refusal_response": "the response where it is a refusal; missing elsewhere",
    },
    origin="github.com/JailbreakBench/artifacts@909e68c",
    licence="MIT",
    citation="Chao et al. (2024), JailbreakBench: An open robustness benchmark for jailbreaking large language models, "
    "NeurIPS Datasets and Benchmarks, arXiv:2404.01318",
    scores=PUBLISHED,
    note="Attack prompts and harmful responses are left out; `case` is added. A successful attack is bad: lower is better.",
    roles={"outcomes": ["jailbroken"], "model": "model", "id": "case", "cohorts": ["method", "category"]},
    call='df.evals(outcomes=[dfevals.Outcome("jailbroken", kind="pass", better="lower")], model="model", id="case", '
    'cohorts=["method", "category"])',
)


def taubench(source: Path) -> pd.DataFrame:
    """Traces of an agent on airline tasks, four trials each."""
    frame = read_parquet(source / "taubench_airline_gpt4o_traces.parquet")
    return categorise(frame, "model", "domain")


TAUBENCH = Recipe(
    name="taubench",
    title="τ-bench airline: traces of a gpt-4o agent, 50 tasks with four trials each",
    task="outcomes",
    used_for="agents: pass@k and pass^k over trials, tool calls against expected actions, cost",
    build=taubench,
    meanings={
        "task_id": "the task, 0 to 49",
        "trial": "the trial, 0 to 3",
        "model": "the language model of the agent",
        "domain": "the domain of the tasks",
        "reward": "outcome: 1 if the task was solved, else 0",
        "user_cost": "cost of the simulated user, dollars; missing where not recorded",
        "instruction": "what the simulated user wants",
        "expected_actions": "JSON: the tool calls that solve the task",
        "tool_calls": "JSON: the tool calls that the agent made, in order",
        "n_turns": "number of messages",
        "n_tool_calls": "number of tool calls",
        "messages": "JSON: the conversation",
    },
    origin="github.com/sierra-research/tau-bench@59a200c, historical_trajectories/gpt-4o-airline.json",
    licence="MIT",
    citation="Yao et al. (2024), τ-bench: A benchmark for tool-agent-user interaction in real-world domains, "
    "arXiv:2406.12045",
    scores=PUBLISHED,
    note="The four trials of a task are not independent.",
    roles={"outcomes": ["reward"], "unit": "task_id", "cluster": "task_id"},
)


def spans(source: Path) -> pd.DataFrame:
    """OpenTelemetry spans of calls of a language model."""
    records = json.loads((source / "otel_spans_vercel_ai_v6.json").read_text(encoding="utf-8"))
    return pd.DataFrame([_span(record) for record in records])


def _span(record: dict[str, Any]) -> dict[str, object]:
    attributes = record["attributes"]
    start, end = (record[key][0] * 1_000_000_000 + record[key][1] for key in ("startTime", "endTime"))
    return {
        "name": record["name"],
        "trace_id": record["spanContext"]["traceId"],
        "span_id": record["spanContext"]["spanId"],
        "start_time": pd.Timestamp(start),
        "end_time": pd.Timestamp(end),
        "duration_ms": (end - start) / 1e6,
        "status_code": record["status"]["code"],
        "model": attributes["ai.model.id"],
        "input_tokens": _first(attributes, "ai.usage.promptTokens", "ai.usage.inputTokens", "ai.usage.tokens"),
        "output_tokens": float(_first(attributes, "ai.usage.completionTokens", "ai.usage.outputTokens")),
        "attributes": json.dumps(attributes, ensure_ascii=False, separators=(",", ":")),
        "events": json.dumps(record["events"], ensure_ascii=False, separators=(",", ":")),
    }


def _first(attributes: dict[str, Any], *names: str) -> Any:
    return next((attributes[name] for name in names if name in attributes), float("nan"))


SPANS = Recipe(
    name="spans",
    title="OpenTelemetry spans of calls of gpt-4o-mini and of an embedding model",
    task="outcomes",
    used_for="reading traces: latency and tokens, attributes of the GenAI conventions",
    build=spans,
    meanings={
        "name": "name of the span",
        "trace_id": "the trace",
        "span_id": "the span",
        "start_time": "start, UTC",
        "end_time": "end, UTC",
        "duration_ms": "end − start, milliseconds",
        "status_code": "status of the span; 0 is unset",
        "model": "the model called",
        "input_tokens": "tokens of the input",
        "output_tokens": "tokens of the output; missing for embeddings",
        "attributes": "JSON: all attributes of the span (gen_ai.*, ai.*)",
        "events": "JSON: events of the span",
    },
    origin="github.com/Arize-ai/openinference@1fe497f, js/packages/openinference-vercel/test/__fixtures__/v6-spans",
    licence="Apache-2.0",
    citation="Arize AI, OpenInference, github.com/Arize-ai/openinference",
    scores="none; times and token counts are those of the spans",
    note="Columns other than `attributes` and `events` are read from the span; nothing of it is left out.",
    roles={"outcomes": ["duration_ms", "output_tokens"], "cohorts": ["name"]},
)


def bfcl(source: Path) -> pd.DataFrame:
    """Questions of the Berkeley function calling leaderboard with schemas and gold calls."""
    return categorise(read_parquet(source / "bfcl_questions.parquet"), "test")


BFCL = Recipe(
    name="bfcl",
    title="Berkeley Function Calling Leaderboard: questions, function schemas and gold calls",
    task="text",
    used_for="tool-call evaluators and schema compliance",
    build=bfcl,
    meanings={
        "test": "kind of the test; 'relevance' asks for no call at all",
        "v4_id": "number of the question in version 4",
        "question": "what the user asks",
        "functions": "JSON: the functions offered, with their parameters",
        "ground_truth": "JSON: the gold calls of version 4, each argument with its allowed values; null for relevance",
        "id": "number of the question as of August 2024",
        "question_as_of_2024_08": "the question as of August 2024; missing where not recorded",
        "gold_as_of_2024_08": "JSON: the gold calls as of August 2024; missing where not recorded",
    },
    origin="github.com/ShishirPatil/gorilla@6ea5797, berkeley-function-call-leaderboard/bfcl_eval/data (version 4); "
    "*_as_of_2024_08 from its score files",
    licence="Apache-2.0",
    citation="Patil et al. (2025), The Berkeley Function Calling Leaderboard, ICML",
    scores="none; gold calls are those of the origin",
    note="Use gold_as_of_2024_08 where it is present for calls made in 2024: version 4 revised the gold calls.",
    call="df.evals.annotate([dfevals.evaluators.SchemaCompliance(...)])  # on a column of calls made by your model",
)

RECIPES = [REFCHECKER, HALUEVAL, HALUEVAL_QA, FRANK, JAILBREAK, TAUBENCH, SPANS, BFCL]
