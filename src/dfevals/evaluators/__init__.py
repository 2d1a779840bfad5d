"""Evaluators: text into score, verdict, reason and error, row by row."""

import lazy_loader as _lazy

from dfevals.evaluators.records import BUILT_IN as _BUILT_IN

_attributes: dict[str, list[str]] = {
    "annotating": ["Annotation", "annotate"],
    "caching": ["Cache"],
    "clients": ["OpenAICompatible"],
    "functions": ["FunctionEvaluator", "as_evaluator", "evaluator"],
    "protocol": ["ROLES", "Evaluated", "Evaluator", "EvaluatorRecord"],
    "prompts": ["PromptTemplate"],
    "records": ["by_name", "table"],
    "running": ["run"],
    "tool_calls": ["expected_from_bfcl"],
    "embeddings": ["SentenceEmbedding"],
    "verdicts": ["Template"],
}
for _name, _module in _BUILT_IN.items():
    _attributes.setdefault(_module, []).append(_name)

__getattr__, __dir__, __all__ = _lazy.attach(__name__, submod_attrs=_attributes)
