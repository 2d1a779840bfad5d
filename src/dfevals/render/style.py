"""The style sheet of HTML tables: scoped by class, legible on light and dark grounds and when narrow."""

from dfevals.render.whisker import HEIGHT, WIDTH

__all__ = ["NO_MATH", "STYLE"]

#: Classes by which MathJax leaves an element alone, in pages of nbconvert (MathJax 2) and in JupyterLab (3 and later).
NO_MATH = "tex2jax_ignore mathjax_ignore"

_UNSEEN = "position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)"
_FONT = "var(--jp-ui-font-family,system-ui,sans-serif)"
STYLE = "".join(
    (
        ".dfe{overflow-x:auto;container-type:inline-size;color:inherit;position:relative}",
        ".dfe table.dfe-t{border-collapse:collapse;border:0;margin:0;width:auto;table-layout:auto;",
        f"font:13px/1.4 {_FONT};color:inherit;background:none}}",
        ".dfe table.dfe-t caption{caption-side:top;text-align:left;padding:0 0 6px 6px;font-weight:600;color:inherit}",
        ".dfe .dfe-detail{display:block;font-weight:400;opacity:.75}",
        ".dfe table.dfe-t th,.dfe table.dfe-t td{border:0;padding:3px 6px;text-align:left;vertical-align:middle;",
        "white-space:nowrap;background:none;color:inherit;font-weight:400;max-width:none}",
        ".dfe table.dfe-t th.dfe-p,.dfe table.dfe-t td.dfe-p{white-space:normal;overflow-wrap:break-word;max-width:14rem}",
        ".dfe table.dfe-t [rowspan]{vertical-align:top}",
        ".dfe table.dfe-t thead th{font-weight:600;vertical-align:bottom;border-bottom:1px solid rgba(128,128,128,.8)}",
        ".dfe table.dfe-t thead th.dfe-over{border-bottom:1px solid rgba(128,128,128,.35)}",
        ".dfe table.dfe-t thead th.dfe-g,.dfe table.dfe-t td.dfe-v{padding-left:14px}",
        ".dfe table.dfe-t tbody tr{background:none;border-top:1px solid rgba(128,128,128,.2)}",
        ".dfe table.dfe-t tbody tr:first-child{border-top:0}",
        ".dfe table.dfe-t tbody tr.dfe-start{border-top:1px solid rgba(128,128,128,.6)}",
        ".dfe table.dfe-t tbody tr.dfe-o{background:rgba(128,128,128,.13)}",
        ".dfe table.dfe-t tbody tr.dfe-end{border-bottom:1px solid rgba(128,128,128,.6)}",
        ".dfe table.dfe-t tbody tr.dfe-o th,.dfe table.dfe-t tbody tr.dfe-o td.dfe-v{font-weight:600}",
        ".dfe table.dfe-t td.dfe-v,.dfe table.dfe-t td.dfe-r,.dfe table.dfe-t th.dfe-r",
        "{text-align:right;font-variant-numeric:tabular-nums}",
        ".dfe table.dfe-t td.dfe-i{font-variant-numeric:tabular-nums;opacity:.75}",
        ".dfe table.dfe-t td.dfe-f{font-size:12px}",
        f".dfe table.dfe-t td.dfe-sr{{padding:0}}.dfe td.dfe-sr span,.dfe .dfe-hide{{{_UNSEEN}}}",
        ".dfe table.dfe-t .dfe-why{font-size:12px;font-style:italic;opacity:.75}",
        f".dfe table.dfe-t svg{{display:block;width:{WIDTH}px;height:{HEIGHT}px;max-width:none}}",
        ".dfe table.dfe-t tr.dfe-more td{opacity:.75;padding-top:6px}",
        f".dfe ul.dfe-notes{{font:12px/1.4 {_FONT};opacity:.8;margin:6px 0 0;padding:0 0 0 6px;list-style:none;max-width:60rem}}",
        # Where estimates do not fit side by side with their numbers, whiskers and symbols stay.
        *(
            f"@container (max-width:{width}px){{.dfe .dfe-x{estimates} td.dfe-i span{{{_UNSEEN}}}"
            f".dfe table.dfe-x{estimates} td.dfe-i{{padding:0}}}}"
            f"@container (max-width:{width + 140}px){{.dfe .dfe-x{estimates} .dfe-word{{{_UNSEEN}}}}}"
            for estimates, width in ((1, 420), (2, 760), (3, 1060))
        ),
        "@container (max-width:760px){.dfe table.dfe-t th,.dfe table.dfe-t td{padding-left:4px;padding-right:4px}}",
    )
)
