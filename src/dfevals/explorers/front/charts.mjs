import { focused, h, set } from "./elements.mjs";
import { count, number, ticks } from "./format.mjs";

// A small chart: axes, lines, dots; the size is that of the view box, so that text scales with the pane.

export function chart(el, { label, x, y, xlabel, ylabel, width = 460, height = 280, xformat = number, yformat = number, yticks = null, right = 12 }) {
  const left = 48, top = 10, bottom = 38, W = width - left - right, H = height - top - bottom;
  const px = (v) => left + ((v - x[0]) / (x[1] - x[0] || 1)) * W, py = (v) => top + H - ((v - y[0]) / (y[1] - y[0] || 1)) * H;
  const svg = h("svg", { viewBox: `0 0 ${width} ${height}`, class: "dfe-chart", role: "img", "aria-label": label });
  const say = (t, at) => h("text", { class: "dfe-tick", ...at }, t);
  const along = ticks(x[0], x[1], 5), up = yticks ?? ticks(y[0], y[1], 5);
  for (const v of along) svg.append(h("line", { class: "dfe-gridline", x1: px(v), x2: px(v), y1: top, y2: top + H }), say(xformat(v, decimals(along)), { x: px(v), y: top + H + 15, "text-anchor": "middle" }));
  for (const v of up) svg.append(h("line", { class: "dfe-gridline", x1: left, x2: left + W, y1: py(v), y2: py(v) }), say(yformat(v, decimals(up)), { x: left - 6, y: py(v) + 4, "text-anchor": "end" }));
  svg.append(h("text", { class: "dfe-axis", x: left + W / 2, y: height - 4, "text-anchor": "middle" }, xlabel), h("text", { class: "dfe-axis", x: 12, y: top + H / 2, "text-anchor": "middle", transform: `rotate(-90 12 ${top + H / 2})` }, ylabel));
  const body = h("g");
  svg.append(body);
  el.append(svg);
  const path = (points) => points.filter((p) => p.every(Number.isFinite)).map((p, i) => `${i ? "L" : "M"}${px(p[0]).toFixed(1)} ${py(p[1]).toFixed(1)}`).join("");
  return {
    svg, body, px, py,
    line: (cls, points) => { const p = h("path", { class: cls, d: path(points) }); body.append(p); return { set: (q) => p.setAttribute("d", path(q)), show: (on) => { p.style.display = on ? "" : "none"; } }; },
    /** A filled band of points [x, low, high]. */
    band: (cls) => { const p = h("path", { class: `dfe-band ${cls}` }); body.prepend(p); return (points) => p.setAttribute("d", points?.length ? `${path([...points.map(([x, low]) => [x, low]), ...points.map(([x, , high]) => [x, high]).reverse()])}Z` : ""); },
    dot: (cls) => { const c = h("circle", { class: cls, r: 4.5 }); body.append(c); return (v, u) => { const ok = Number.isFinite(v) && Number.isFinite(u); c.style.display = ok ? "" : "none"; if (ok) set(c, { cx: px(v), cy: py(u) }); }; },
    clear: () => body.replaceChildren(),
  };
}
/** As few decimal places as tell all ticks exactly. */
const decimals = (values) => [0, 1, 2, 3, 4, 5, 6].find((d) => values.every((v) => Math.abs(v - v.toFixed(d)) <= 1e-9 * Math.abs(v))) ?? 6;
/** Empty a box and fill it again with the focus on the same of its parts: what is pressed by a key stays under it. */
export function redraw(box, draw) {
  const parts = () => [...box.querySelectorAll("[tabindex]")], at = parts().indexOf(focused(box));
  box.replaceChildren();
  draw();
  if (at >= 0) parts()[at]?.focus();
}
/** Which of a list of things is which line. */
export const legend = (items) => h("div", { class: "dfe-legend" }, ...items.map(([cls, text, more]) => h("span", {}, h("i", { class: `dfe-swatch ${cls}`, "aria-hidden": "true" }), h("bdi", {}, text), more && h("small", {}, ` ${more}`))));
/** The legend of cohorts, each with its number of rows. */
export const cohortLegend = (store, shown) => legend(shown.map(([cls, c, label]) => [cls, label, `n ${count(store.data.sizes[c])}`]));
/** Overall, the selected and the compared cohort: [class of the line, index, label, key]. */
export function groups(store) {
  const s = store.state.selection, out = [["dfe-l0", store.data.C, "All rows", "all"]];
  if (s.cohort) out.push(["dfe-l1", store.place(s.cohort), s.cohort.join(" × "), "cohort"]);
  if (s.compare) out.push(["dfe-l2", store.place(s.compare), s.compare.join(" × "), "compare"]);
  return out;
}
