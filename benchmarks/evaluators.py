"""Rates of evaluators: local ones in rows per second of one core, a judge over HTTP as a share of the ideal rate."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd
from harness import Fact, cpu, extra_peak

from dfevals import datasets, evaluators

DELAY, AT_ONCE = 0.05, 32
# An OpenAI-compatible server that answers every request after DELAY seconds, in a process of its own
SERVER = f"""
import asyncio, json
verdict = json.dumps({{"score": 0.8, "reason": "because"}})
body = json.dumps({{"choices": [{{"message": {{"role": "assistant", "content": verdict}}}}]}}).encode()
answer = b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body

async def serve(reader, writer):
    try:
        while True:
            head = (await reader.readuntil(b"\\r\\n\\r\\n")).lower()
            await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\\r\\n")[0]))
            await asyncio.sleep({DELAY})
            writer.write(answer)
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()

async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=128)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def judge_server() -> Iterator[str]:
    """Address of the server."""
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/v1"
        finally:
            process.kill()


def judged(rows: int) -> Fact:
    """Rate of a judge over HTTP against what the server's delay allows."""
    frame = pd.DataFrame({"response": [f"answer {i}" for i in range(rows)]})
    shares = []
    with judge_server() as url:
        for _ in range(3):
            judge = evaluators.Judge("Is it right?", url, max_concurrency=AT_ONCE)
            start = time.perf_counter()
            done = evaluators.annotate(frame, judge, progress=False)
            shares.append(rows / (time.perf_counter() - start) / (AT_ONCE / DELAY))
            assert not done.errors["judge"]
    return Fact(
        f"judge over HTTP, {AT_ONCE} at once, {1000 * DELAY:.0f} ms: share of the ideal rate",
        f"{sorted(shares)[1]:.0%}",
        "≥ 90 %",
    )


def calls(rows: int) -> pd.DataFrame:
    """Questions with their functions as JSON schemas, the expected call and the one made."""
    bfcl = datasets.load("bfcl")
    bfcl = bfcl[bfcl["test"] == "simple"]
    made = []
    for truth, functions in zip(bfcl["ground_truth"], bfcl["functions"], strict=True):
        ((name, arguments),) = json.loads(truth)[0].items()
        plain = {key: values[0] for key, values in arguments.items() if values[0] != ""}
        parameters = json.loads(functions)[0]["parameters"]
        made.append(
            {
                "expected_tool_calls": [{"name": name, "arguments": plain}],
                "tool_calls": json.dumps([{"name": name, "arguments": plain}]),
                "response": json.dumps(plain),
                "reference": json.dumps(plain),
                "schema": json.dumps({**parameters, "type": "object"})
                .replace('"dict"', '"object"')
                .replace('"float"', '"number"'),
            }
        )
    return pd.DataFrame(made).sample(rows, replace=True, random_state=0).reset_index(drop=True)


def local(rows: int) -> list[Fact]:
    """Rates of the evaluators that read JSON and calls, of groundedness, and the memory of the former."""
    frame = calls(rows)
    qa = datasets.load("halueval_qa").sample(max(1, rows // 50), replace=True, random_state=0)
    qa = qa.rename(columns={"knowledge": "context", "right_answer": "response"})[["context", "response"]]
    person = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    jobs = {
        "JSONValidation": (evaluators.JSONValidation(), frame),
        "SchemaCompliance, one schema": (evaluators.SchemaCompliance(schema=person), frame),
        "SchemaCompliance, a schema per row": (evaluators.SchemaCompliance(), frame),
        "ToolSelectionAccuracy": (evaluators.ToolSelectionAccuracy(), frame),
        "ToolArgumentAccuracy": (evaluators.ToolArgumentAccuracy(), frame),
        "ExactMatch": (evaluators.ExactMatch(), frame),
        "Groundedness": (evaluators.Groundedness(), qa),
    }
    out = []
    for name, (one, rows_of) in jobs.items():
        seconds = cpu(lambda one=one, rows_of=rows_of: evaluators.annotate(rows_of, one, progress=False), 2)
        aim = "≥ 200" if name == "Groundedness" else "≥ 5,000"
        out.append(
            Fact(f"{name}, {len(rows_of):,} rows: rows per second of one core", f"{len(rows_of) / seconds:,.0f}", aim)
        )
    several = [one for name, (one, _) in jobs.items() if name not in ("SchemaCompliance, one schema", "Groundedness")]
    peak = extra_peak(lambda: evaluators.annotate(frame, several, progress=False))
    return [*out, Fact(f"extra memory of five of them on {rows:,} rows", f"{peak:,.0f} MiB", "≤ 300 MiB")]


def run(rows: int) -> list[Fact]:
    """The rows of this group; a judge's calls wait, and 3,000 of them show the rate."""
    os.environ.pop("OPENAI_API_KEY", None)
    return [judged(3000), *local(rows // 10)]
