"""The front end's modules joined into the single one that a notebook can load.

A widget's module is imported from a blob: URL, where relative imports fail. The files stay proper modules, so that Node can
import and test each of them.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["joined", "standalone", "style"]

FRONT = Path(__file__).parent / "front"
#: Low to high: a module imports only from those before it.
ORDER = (
    "arithmetic.mjs",
    "format.mjs",
    "elements.mjs",
    "store.mjs",
    "charts.mjs",
    "header.mjs",
    "cohorts.mjs",
    "scores.mjs",
    "confusion.mjs",
    "curves.mjs",
    "gains.mjs",
    "estimates.mjs",
    "outcomes.mjs",
    "rows.mjs",
    "text.mjs",
    "copy.mjs",
    "explorer.mjs",
)
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./(\w+)\.mjs";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|const) (\w+)", re.MULTILINE)
_DEFAULT = re.compile(r"^export default ", re.MULTILINE)


@cache
def joined() -> str:
    """All modules as one: each a function that returns its exports, so that their names do not meet."""
    return "\n".join(_wrapped(name.removesuffix(".mjs"), (FRONT / name).read_text("utf-8")) for name in ORDER)


@cache
def standalone() -> str:
    """All modules as one script that shows copies without a widget: `dfevals.start` and `dfevals.stand` of `copy.mjs`."""
    whole = joined().replace("export default _explorer;", "")
    return f"{whole}\nconst dfevals = {{ ..._copy, start: (el, text) => _copy.start(el, text, _explorer) }};"


def _wrapped(name: str, text: str) -> str:
    exports = _EXPORT.findall(text)
    body = _IMPORT.sub(lambda found: f"const {{{found[1].replace(' as ', ': ')}}} = _{found[2]};\n", text)
    body = re.sub(r"^export (?!default)", "", body, flags=re.MULTILINE)
    if not _DEFAULT.search(body):
        return f"const _{name} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"
    return f"const _{name} = (() => {{\n{_DEFAULT.sub('return ', body)}\n}})();\nexport default _{name};"


@cache
def style() -> str:
    """The style sheets as one."""
    return "\n".join((FRONT / name).read_text("utf-8") for name in ("explorer.css", "text.css"))
