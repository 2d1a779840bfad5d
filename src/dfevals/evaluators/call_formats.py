"""Tool calls as they come (OpenAI, Anthropic, Gemini, Bedrock, Cohere, frameworks, plain, texts), read into one form."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from dfevals.evaluators.values import nested, show, unfenced

__all__ = ["Call", "MalformedCall", "NoCall", "UnknownStructure", "parse_calls"]

_NAMES = ("name", "function", "tool", "tool_name", "toolName", "function_name", "recipient_name")
_ARGUMENTS = (
    "arguments", "args", "kwargs", "input", "parameters", "params", "tool_input", "toolInput", "tool_kwargs",
    "tool_args", "inputParameters", "input_parameters", "function_args",
)  # fmt: skip
_FREE = ("tool_input", "toolInput")  # may be a text that is no JSON, as that of custom tools
_AROUND_A_CALL = ("function", "function_call", "functionCall", "tool_call", "toolCall", "tool_use", "toolUse", "tool")
_AROUND_CALLS = ("tool_calls", "toolCalls", "function_calls", "functionCalls", "calls")
_AROUND_MESSAGES = ("messages", "steps", "trajectory", "output", "message", "response", "result", "body")
_SAID = ("text", "content", "output", "response")  # of these a text is what was said, not a call
_OTHERS = {"user", "human", "system", "developer", "tool", "function", "ipython", "environment"}
_NO_CALLS = {
    "text", "output_text", "input_text", "refusal", "thinking", "redacted_thinking", "redacted-thinking",
    "reasoning", "reasoning_content", "summary_text", "message", "human", "system", "ai", "developer", "image",
    "image_url", "input_image", "document", "file", "source", "citations", "search_result", "tool_result",
    "tool-result", "tool_response", "tool_call_response", "tool-return", "retry-prompt", "tool", "tool-error",
    "function_call_output", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "compaction",
    "item_reference", "step-start", "step-finish", "error_message",
}  # fmt: skip
_NO_CALL_KEYS = {
    "thought", "thoughtSignature", "thought_signature", "inlineData", "inline_data", "fileData", "file_data",
    "executableCode", "executable_code", "codeExecutionResult", "code_execution_result", "functionResponse",
    "function_response", "toolResult", "reasoningContent", "image", "document", "video", "guardContent",
    "cachePoint", "citationsContent", "toolResponse",
}  # fmt: skip
_PATHS = {  # of OpenInference, whose keys are paths
    **{f"message.{key}": key for key in ("role", "content", "contents", "name", "tool_calls", "tool_call_id")},
    **{f"tool_call.function.{key}": key for key in ("name", "arguments")},
    "tool_call.id": "id",
}
_NEVER_NAMES = {
    *_NAMES, *_ARGUMENTS, *_AROUND_CALLS, *_AROUND_MESSAGES, *_SAID, "error", "errors", "choices", "candidates", "usage",
    "role", "parts", "id", "type", "any_of",
}  # fmt: skip
_HOSTED = re.compile(
    r"(web_search|file_search|computer|code_interpreter|image_generation|(?:local_)?shell|apply_patch)_call"
)
_OPEN, _CLOSE = "<tool_call>", "</tool_call>"
_MARKED = re.compile(r"\s*(?:\[TOOL_CALLS\]|<\|python_tag\|>)\s*")
_DECODER = json.JSONDecoder()
_BETWEEN_OBJECTS = re.compile(r"\s*+(?:\Z|[;,]?\s*+(?=\{))")
_LIKE_A_CALL = re.compile(r"[{\[]|\w\(|<tool_call")
_A_NAME = re.compile(r"[\w.:/-]+")
_LONGEST_PYTHON = 100_000


@dataclasses.dataclass(frozen=True, slots=True)
class Call:
    """One call: the tool's name and its arguments; `arguments` is None where only the name is known."""

    name: str
    arguments: Mapping[str, Any] | None


class MalformedCall(Exception):
    """What a model wrote cannot be read as tool calls; the message says why."""


class NoCall(MalformedCall):
    """The model wrote a text in which nothing looks like a call: right where none was expected."""


class UnknownStructure(MalformedCall):
    """The record has a form that is not known here, which says nothing of the model."""


def parse_calls(value: object) -> list[Call]:
    """Read tool calls of any usual format.

    Whole answers, messages and conversations are read too: what was said, thought or returned by a tool is no call, and
    neither is anything of the user's messages.

    Parameters
    ----------
    value : list, dict or str
        OpenAI (`tool_calls`, `function_call`, Responses, batches), Anthropic (`tool_use` blocks), Gemini (`functionCall`
        parts), Bedrock (`toolUse`), Mistral, Cohere, Inspect, LangChain, plain (`{"name", "arguments"}`, `{"tool": {…}}`,
        `{"tool": "{…}"}`), the same as JSON text, `<tool_call>` tags, or Python calls as text
        (`[f(a=1), g(b="x")]`). A step that is only a name has no arguments.

    Returns
    -------
    list of Call

    Raises
    ------
    MalformedCall
        When a text is no call, or arguments are not JSON.
    UnknownStructure
        When the form is not known (a kind of `MalformedCall`).

    Examples
    --------
    >>> parse_calls('[{"function": {"name": "f", "arguments": "{\\\\"a\\\\": 1}"}}]')
    [Call(name='f', arguments={'a': 1})]
    """
    try:
        return _calls_of(nested(value))
    except RecursionError:
        raise UnknownStructure("the tool calls are nested too deeply to be read") from None


def _calls_of(value: object) -> list[Call]:
    if isinstance(value, str):
        return _calls_of_text(value)
    if isinstance(value, Mapping):
        return _calls_of_record(value)
    if isinstance(value, list):
        return [call for item in value for call in _calls_of_item(item)]
    if hasattr(value, "model_dump"):
        return _calls_of(nested(value.model_dump()))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _calls_of(nested(dataclasses.asdict(value)))
    raise UnknownStructure(f"tool calls must be a list or a text, found {type(value).__name__} {show(value)}")


def _calls_of_item(item: object) -> list[Call]:
    if isinstance(item, str) and _A_NAME.fullmatch(item.strip()):
        return [Call(item.strip(), None)]
    return _calls_of(item)


def _calls_of_text(value: str) -> list[Call]:
    value = unfenced(value).strip()
    value = _MARKED.sub("", value, count=1) if _MARKED.match(value) else value
    if not value:
        raise MalformedCall("the text of the tool calls is empty (write [] for no call)")
    try:
        parsed = _json_values(value)
    except ValueError:
        tagged = _tagged(value)
        return [call for part in tagged for call in _calls_of_text(part)] if tagged else _python_calls(value)
    return _calls_of(_container(parsed))


def _tagged(value: str) -> list[str]:
    """What stands between tags; a tag that is not closed holds nothing (a pattern would look for its end ever again)."""
    found: list[str] = []
    start = value.find(_OPEN)
    while start >= 0 and (end := value.find(_CLOSE, start)) >= 0:
        found.append(value[start + len(_OPEN) : end])
        start = value.find(_OPEN, end)
    return found


def _json_values(value: str) -> Any:
    """The value of a JSON text, or a list of them where objects follow each other."""
    found, at = [], 0
    while at < len(value):
        one, end = _DECODER.raw_decode(value, at)
        found.append(one)
        between = _BETWEEN_OBJECTS.match(value, end)
        if between is None or (between.end() < len(value) and not isinstance(one, dict)):
            raise ValueError("more than one value")
        at = between.end()
    return found[0] if len(found) == 1 else found


def _container(parsed: Any) -> Any:
    if isinstance(parsed, str) and parsed.lstrip()[:1] in ("[", "{"):
        return parsed  # JSON text inside JSON text
    if isinstance(parsed, dict) and parsed:
        return parsed
    if isinstance(parsed, list) and not any(isinstance(item, int | float) for item in parsed):
        return parsed
    if parsed is None:
        raise UnknownStructure("the text is null (write [] for no call)")
    if isinstance(parsed, list | dict):
        raise MalformedCall(f"the text holds {show(parsed)}, not tool calls")
    raise NoCall(f"the text holds {show(parsed)}, not tool calls")


def _calls_of_record(value: Mapping[str, Any]) -> list[Call]:
    record = {_PATHS.get(key, str(key)): item for key, item in value.items() if item is not None}
    for reader in _READERS:
        found = reader(record)
        if found is not None:
            return found
    raise UnknownStructure(f"the form is not known, and no tool's name is in it: {show(dict(value))}")


def _foreign_message(record: Mapping[str, Any]) -> list[Call] | None:
    """A message of anybody but the model, whatever its name: results of tools, questions, instructions."""
    role = record.get("role")
    return [] if isinstance(role, str) and role.lower() in _OTHERS and not _argument_key(record) else None


def _named_call(record: Mapping[str, Any]) -> list[Call] | None:
    """A call with name and arguments side by side."""
    key = _argument_key(record)
    name = _name(record)
    if key is None or name is None or _kind(record) in _NO_CALLS - {"tool"}:
        return None
    if record.get("parse_error"):
        raise MalformedCall(f"the arguments of {name} could not be read: {show(record['parse_error'])}")
    found = record[key]
    if _kind(record) == "custom_tool_call" or (
        key in _FREE and isinstance(found, str) and not found.lstrip().startswith("{")
    ):
        found = {"input": found}
    return [Call(name, _read_arguments(name, found))]


def _kind(record: Mapping[str, Any]) -> str:
    return str(record.get("type", record.get("part_kind", "")))


def _name(record: Mapping[str, Any]) -> str | None:
    return next((record[key] for key in _NAMES if isinstance(record.get(key), str)), None)


def _argument_key(record: Mapping[str, Any]) -> str | None:
    return next((key for key in _ARGUMENTS if key in record), None)


def _read_arguments(name: str, found: Any) -> Mapping[str, Any]:
    if isinstance(found, str):
        if not found.strip():
            return {}
        try:
            found = json.loads(found, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise MalformedCall(f"the arguments of {name} are not valid JSON: {show(found)}") from None
    if found is None:
        return {}
    if not isinstance(found, Mapping):
        raise MalformedCall(f"the arguments of {name} are no object: {show(found)}")
    return dict(found)


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _wrapped_call(record: Mapping[str, Any]) -> list[Call] | None:
    """A call inside a record of its own: `{"function": {…}}`, `{"functionCall": {…}}`, `{"toolUse": {…}}`; MCP's `params`."""
    for key in (*_AROUND_A_CALL, "params"):
        inner = record.get(key)
        if not isinstance(inner, Mapping):
            continue
        bare = {part: item for part, item in inner.items() if item is not None}
        if (name := _name(bare)) is not None:
            return _named_call(bare) or [Call(name, {})]  # arguments that are empty may be left out
        if (found := _wrapped_call(bare)) is not None:
            return found
    return None


def _failure(record: Mapping[str, Any]) -> list[Call] | None:
    """An answer that is an error says nothing of the model."""
    if record.get("error") and _name(record) is None and "role" not in record:
        raise UnknownStructure(f"the record holds an error instead of an answer: {show(record['error'])}")
    return None


def _answer(record: Mapping[str, Any]) -> list[Call] | None:
    """A whole answer: the first of OpenAI's choices or of Gemini's candidates."""
    for key, inside in (("choices", "message"), ("candidates", "content")):
        found = record.get(key)
        if isinstance(found, list) and found and isinstance(found[0], Mapping):
            first = found[0]
            if first.get("finishReason", first.get("finish_reason")) == "MALFORMED_FUNCTION_CALL":
                raise MalformedCall("the model's call was malformed (MALFORMED_FUNCTION_CALL)")
            if isinstance(first.get(inside), Mapping):
                return _calls_of_record({"role": "assistant", **first[inside]})
            return [] if inside == "content" and {"finishReason", "finish_reason"} & first.keys() else None
    return None


def _message(record: Mapping[str, Any]) -> list[Call] | None:
    """A message of the model: its calls, or those among the blocks or parts of its content."""
    if record.get("invalid_tool_calls"):
        raise MalformedCall(f"the model's calls are not valid: {show(record['invalid_tool_calls'])}")
    for key in (*_AROUND_CALLS, "additional_kwargs"):
        if record.get(key) and (key != "additional_kwargs" or _is_message(record[key])):
            return _calls_of(record[key])
    blocks = next((record[key] for key in ("content", "parts") if isinstance(record.get(key), list | Mapping)), None)
    if blocks is not None:
        return [] if _is_result(record) else _calls_of_blocks(blocks)
    if "role" in record or _is_message(record):
        said = record.get("content")
        return _calls_of_text(said) if isinstance(said, str) and _tagged(said) else []
    return None


def _is_message(record: Any) -> bool:
    return isinstance(record, Mapping) and any(key in record for key in _AROUND_CALLS)


def _is_result(record: Mapping[str, Any]) -> bool:
    """Whether a record is what a tool gave back: the tool's name and a content."""
    return isinstance(record.get("name"), str) and "content" in record and "role" not in record


def _calls_of_blocks(blocks: Any) -> list[Call]:
    """The calls among the blocks of a content, in which a text is what was said."""
    if isinstance(blocks, Mapping):
        return _calls_of_record(blocks)
    return [call for block in blocks if not isinstance(block, str) for call in _calls_of(block)]


def _hosted_call(record: Mapping[str, Any]) -> list[Call] | None:
    """A call of a tool that the server runs itself, which has no name but its type."""
    found = _HOSTED.fullmatch(_kind(record))
    if found is None:
        return None
    action = record.get("action", {key: record[key] for key in ("queries", "code") if key in record})
    return [Call(found[1], dict(action) if isinstance(action, Mapping) else {})]


def _no_call(record: Mapping[str, Any]) -> list[Call] | None:
    """What was said, thought, shown or given back."""
    kind = _kind(record)
    if kind in _NO_CALLS or kind.endswith(("_output", "_result")):
        return []
    if _name(record) is None and any(isinstance(record.get(key), str) for key in _SAID):
        return []
    if record and _NO_CALL_KEYS.issuperset(record):
        return []
    return [] if _is_result(record) else None


def _around_messages(record: Mapping[str, Any]) -> list[Call] | None:
    """A record around messages: a conversation, a line of a batch, Bedrock's and the Responses' output."""
    if record.get("lc") is not None and isinstance(record.get("kwargs"), Mapping):  # LangChain's own JSON
        return _calls_of_record(record["kwargs"])
    if _name(record) is not None:
        return None
    for key in _AROUND_MESSAGES:
        if isinstance(record.get(key), list | Mapping) and record[key] != {}:
            return _calls_of(record[key])
    return None


def _bare_name(record: Mapping[str, Any]) -> list[Call] | None:
    name = _name(record)
    if name is None:
        return None
    return [Call(name, {} if {"id", "type", "call_id"} & set(record) else None)]


def _keyed_call(record: Mapping[str, Any]) -> list[Call] | None:
    """A call whose name is the key: `{"book": {"city": "Rome"}}`, also with the arguments as JSON text."""
    if len(record) != 1:
        return None
    ((name, arguments),) = record.items()
    if name in _NEVER_NAMES and not (name == "tool" and isinstance(arguments, Mapping)):
        return None
    if isinstance(arguments, str) and not arguments.lstrip().startswith("{"):
        return None
    return [Call(name, _read_arguments(name, arguments))] if isinstance(arguments, str | Mapping) else None


_READERS: tuple[Callable[[Mapping[str, Any]], list[Call] | None], ...] = (
    _foreign_message,
    _named_call,
    _wrapped_call,
    _failure,
    _answer,
    _message,
    _hosted_call,
    _no_call,
    _around_messages,
    _bare_name,
    _keyed_call,
)


def _python_calls(value: str) -> list[Call]:
    """Calls written as Python, read without running anything; Python's parser takes 170 bytes for a character."""
    if not _LIKE_A_CALL.search(value):
        raise NoCall(f"the text is neither JSON nor calls: {show(value)}")
    if len(value) > _LONGEST_PYTHON:
        raise MalformedCall(f"the text is not JSON, and too long to be read as calls ({len(value)} characters)")
    try:
        body = ast.parse(value.strip(), mode="eval").body
        nodes = body.elts if isinstance(body, ast.List | ast.Tuple) else [body]
        return [_python_call(node) for node in nodes]
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        raise MalformedCall(f"the text is neither JSON nor calls: {show(value)}") from None


def _python_call(node: ast.expr) -> Call:
    if not isinstance(node, ast.Call) or node.args or any(word.arg is None for word in node.keywords):
        raise ValueError("not a call with named arguments")
    return Call(ast.unparse(node.func), {str(word.arg): _literal(word.value) for word in node.keywords})


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[node.id]
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {ast.literal_eval(k): _literal(v) for k, v in zip(node.keys, node.values, strict=True) if k is not None}
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ast.unparse(node)  # a lambda, a name: compared as text
