"""Pages of an explorer that work without a kernel: one to send away, and one beside the widget in a notebook."""

from __future__ import annotations

import base64
import hashlib
import sys
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from dfevals import render
from dfevals.explorers.modules import standalone, style
from dfevals.explorers.travel import packed, squeezed

if TYPE_CHECKING:
    from dfevals.explorers.explorer import Explorer

__all__ = ["alive", "beside", "document", "in_notebook", "page"]

PRINT = (
    "@media print{.dfe-x button,.dfe-x input,.dfe-x select,.dfe-copied{print-color-adjust:exact}"
    ".dfe-x .dfe-scroll{max-height:none!important;overflow:visible!important}}"
)
#: Unpacks the code and the data, and shows the copy once no live page is there.
LOADER = """(async () => {{
  const el = document.getElementById("dfe-copy-{id}-{at}");
  if (!el || typeof DecompressionStream === "undefined") return;
  const read = async (text) => new Response(new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]).stream()
    .pipeThrough(new DecompressionStream("deflate"))).text();
  const url = URL.createObjectURL(new Blob([await read("{code}")], {{ type: "text/javascript" }}));
  const page = await import(url);
  URL.revokeObjectURL(url);
  page.stand(el, "{id}", async () => {{
    const look = document.createElement("style"), box = document.createElement("div");
    look.textContent = await read("{style}");
    if (el.hidden) return; // a live page has come meanwhile
    (el.shadowRoot ?? el.attachShadow({{ mode: "open" }})).replaceChildren(look, box); // the host's styles are not ours
    page.start(box, "{data}");
  }});
}})();"""


def page(copy: Mapping[str, Any], static: str) -> str:
    """A whole page of the explorer alone; `static` is shown where its script may not run."""
    return document("Explorer", alive(copy, static), "body{margin:1.5rem}")


def alive(copy: Mapping[str, Any], static: str) -> str:
    """The part of a `document` that becomes the interactive explorer."""
    return f'<div id="dfe-page">{static}</div>\n<script type="text/plain" id="dfe-data">{packed(copy)}</script>'


def document(title: str, body: str, look: str) -> str:
    """A whole page with one explorer in it, which runs one script of its own and may load nothing.

    The script is allowed by its hash, so that no text of the data could run as one.
    """
    script = (
        f'{standalone()}\nconst box = document.getElementById("dfe-page");\n'
        'dfevals.start(box, document.getElementById("dfe-data").textContent).catch(() => {});\n'
    )
    allowed = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    policy = f"default-src 'none'; script-src 'sha256-{allowed}'; style-src 'unsafe-inline'; img-src data:"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{render.escape(title)}</title><style>:root{{color-scheme:light dark}}body{{background:Canvas;"
        f"color:CanvasText}}{look}\n{style()}\n{PRINT}</style></head>\n"
        f'<body><main>{body}</main>\n<script type="module">{script}</script></body></html>\n'
    )


def beside(explorer: Explorer, at: int) -> dict[str, str]:
    """The second output of a cell that shows an explorer: nothing where scripts may not run or the widget is alive.

    `at` tells the displays of one explorer apart.
    """
    identity = explorer._name
    data = packed(explorer._copy(every=False))
    script = LOADER.format(id=identity, at=at, code=_code(), style=_style(), data=data)
    return {
        "text/html": f'<div id="dfe-copy-{identity}-{at}" hidden></div><script>{script}</script>',
        "text/plain": "",
    }


@cache
def _code() -> str:
    return squeezed(f"{standalone()}\nexport const {{ start, stand }} = dfevals;")


@cache
def _style() -> str:
    return squeezed(style())


def in_notebook() -> bool:
    """Whether a Jupyter kernel runs this, so that what is displayed is kept in a document."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
