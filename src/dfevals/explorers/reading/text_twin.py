"""The row on view as static HTML: texts, verdicts, steps, with what is marked said in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dfevals import render
from dfevals.explorers.reading.texts import row_on_view
from dfevals.words import count

if TYPE_CHECKING:
    from dfevals.explorers.state import State
    from dfevals.explorers.view import View

__all__ = ["TEXT_STYLE", "text_html"]

MOST = 4_000  # characters of a text
STEPS = 20
TEXT_STYLE = (
    ".dfe-twin .dfe-side{display:grid;gap:10px 18px;grid-template-columns:repeat(auto-fit,minmax(240px,1fr));margin:8px 0}"
    ".dfe-twin .dfe-side h4,.dfe-twin h4{margin:0 0 2px;font-size:1em;font-weight:600}"
    ".dfe-twin .dfe-said{white-space:pre-wrap;overflow-wrap:anywhere}"
    ".dfe-twin mark{background:none;color:inherit}.dfe-twin mark.dfe-unsupported{text-decoration:underline wavy #d55e00;"
    "text-underline-offset:3px}.dfe-twin mark.dfe-evidence,.dfe-twin mark.dfe-nearest{border-bottom:2px solid #0072b2}"
    ".dfe-twin mark.dfe-nearest{border-bottom-style:dashed}.dfe-twin .dfe-verdicts{font:inherit;border-collapse:collapse;margin:6px 0}"
    ".dfe-twin .dfe-verdicts td,.dfe-twin .dfe-verdicts th{border:1px solid rgba(128,128,128,.4);padding:3px 8px;"
    "text-align:left;vertical-align:top;white-space:normal}"
)


def text_html(view: View, state: State) -> str:
    """The row on view where the tab of texts is open; nothing elsewhere."""
    if state["view"] != "text":
        return ""
    found = row_on_view(view, state)
    if not found.get("total"):
        return "<p>No rows are selected.</p>"
    head = f"Row {count(found['ordinal'] + 1)} of {count(found['total'])} · index {found['index']}"
    parts = [_part(part["role"], part["column"], part) for part in found["parts"]]
    answers = [_part(_title(answer), answer["column"], answer) for answer in found["answers"]]
    groups = [parts, answers] if len(answers) > 1 else [[*parts, *answers]]
    out = [
        f"<p>{render.escape(head)}</p>",
        _verdicts(found["verdicts"]),
        *(f'<div class="dfe-side">{"".join(group)}</div>' for group in groups),
    ]
    out += [f"<p>{render.escape(note)}</p>" for note in found["notes"]]
    out += [_steps(steps) for steps in found["steps"]]
    return "".join(out)


def _title(answer: Mapping[str, Any]) -> str:
    return f"{answer['letter']} · {answer['title']}" if answer["letter"] else str(answer["title"])


def _part(title: str, column: str, part: Mapping[str, Any]) -> str:
    name = title if title == column else f"{title} ({column})"
    body, left = [], MOST
    for block in part["blocks"]:
        written, left = _block(block, left)
        number = f"<b>{block['block'] + 1}</b> " if part["of"] > 1 else ""
        body.append(f'<div class="dfe-said" dir="auto">{number}{written}</div>')
        if left <= 0:
            break
    if left <= 0 or part["more"]:
        body.append("<p>… (the rest is in the frame)</p>")
    if part["missing"]:
        body.append("<p>– (missing)</p>")
    listed = "".join(f"<li>{render.escape(mark['words'])}</li>" for mark in part["listed"])
    return f"<section><h4>{render.escape(name)}</h4>{''.join(body)}{f'<ul>{listed}</ul>' if listed else ''}</section>"


def _block(block: Mapping[str, Any], left: int) -> tuple[str, int]:
    out = []
    for piece in block["pieces"]:
        if left <= 0:
            break
        text, number, ends = (piece, None, False) if isinstance(piece, str) else (piece[0], piece[1], piece[3])
        written, left = _escaped(text[:left]), left - len(text)
        if number is not None:
            mark = block["marks"][number]
            label = f"<sup>{render.escape(mark['label'])}</sup>" if ends else ""
            title = render.escape(mark["words"])
            written = f'<mark class="dfe-{mark["kind"]}" title="{title}">{written}{label}</mark>'
        out.append(written)
    return "".join(out), left


def _escaped(text: str) -> str:
    """Line breaks and tabs stay; everything else as in the tables."""
    return "\n".join("\t".join(map(render.escape, line.split("\t"))) for line in text.split("\n"))


def _verdicts(verdicts: Sequence[Mapping[str, str]]) -> str:
    if not verdicts:
        return ""
    lettered = any(one["letter"] for one in verdicts)
    heads = ["evaluator", *(["of"] if lettered else []), "verdict", "score", "reason"]
    rows = [
        [
            one["name"],
            *([one["letter"]] if lettered else []),
            one["verdict"],
            one["score"],
            one["error"] or one["reason"],
        ]
        for one in verdicts
    ]
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{_escaped(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f'<table class="dfe-verdicts"><tr>{head}</tr>{body}</table>'


def _steps(found: Mapping[str, Any]) -> str:
    title = f"Steps ({found['column']})" + (f" of {found['letter']} · {found['title']}" if found["letter"] else "")
    items = "".join(f"<li>{_step(step)}</li>" for step in found["steps"][:STEPS])
    left = found["total"] - min(len(found["steps"]), STEPS)
    rest = f"<p>… {count(left)} more steps</p>" if left > 0 else ""
    problem = f"<p>{render.escape(found['problem'])}</p>" if found["problem"] else ""
    raw = f'<div class="dfe-said">{_escaped(found["raw"][:MOST])}</div>' if found.get("raw") else ""
    return f"<h4>{render.escape(title)}</h4>{problem}{raw}<ol>{items}</ol>{rest}"


def _step(step: Mapping[str, Any]) -> str:
    verdict = f" ({render.escape(step['verdict'])})" if step["verdict"] else ""
    if step["kind"] in ("said", "result"):
        text = step["text"][0] if step["text"] else ""
        return (
            f'<i>{render.escape(step["name"] or step["kind"])}</i> <span class="dfe-said">{_escaped(text[:400])}</span>'
        )
    arguments = "".join(
        f'<div class="dfe-said">{render.escape(key)}: {_escaped(value[:200])}</div>'
        for key, (value, _) in step["arguments"] or []
    )
    return f"<b>{render.escape(step['name'])}</b>{verdict}{arguments}"
