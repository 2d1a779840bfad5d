import { METRICS, Z, cost, costError, from, nearest } from "./arithmetic.mjs";
import { focused, QUIET, button, h, set, write } from "./elements.mjs";
import { groups, legend } from "./charts.mjs";
import { count, estimate, number, places } from "./format.mjs";

// Score distribution by class with a threshold that is dragged or keyed, and what it means for each cohort on view.

const SHOWN = ["precision", "recall", "f1", "fpr"];
const BARS = 100;

export function scores(store, el, signal) {
  const out = h("input", { type: "number", step: "any", class: "dfe-number", "aria-label": "threshold as a number", ...QUIET, onchange: () => { if (out.value !== "" && Number.isFinite(+out.value)) store.commit({ threshold: store.data.edges[nearest(store.data.edges, +out.value)], rows: { page: 0 } }); } });
  const slider = h("input", { type: "range", min: 0, step: 1, "aria-label": "decision threshold", class: "dfe-slider", ...QUIET, oninput: () => store.move({ threshold: store.data.edges[+slider.value] }), onchange: () => store.settle() });
  const reset = button("Reset", () => { const m = store.info.models.find((x) => x.name === store.state.model); store.commit({ threshold: m.predicted ? null : start() }); }, { title: "back to the threshold the explorer began with" });
  const use = button("Cut the score at a threshold", () => store.commit({ threshold: 0.5 }));
  const first = store.state.threshold, start = () => first ?? 0.5;
  const control = h("div", { class: "dfe-threshold" }, h("label", { class: "dfe-grow" }, h("span", {}, "Threshold"), slider), out, reset);
  const neg = h("path", { class: "dfe-neg" }), pos = h("path", { class: "dfe-pos" }), rule = h("line", { class: "dfe-rule", y1: 0, y2: 100 }), grip = h("rect", { class: "dfe-grip", y: 0, height: 100 });
  const svg = h("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", role: "img", class: "dfe-density", "aria-label": "score distribution by class; drag to move the threshold, or use the slider below" }, neg, pos, rule, grip);
  const scale = h("div", { class: "dfe-scale", "aria-hidden": "true" });
  const labels = store.info.labels, key = legend([["dfe-swn", labels[0]], ["dfe-swp", labels[1]]]);
  key.append(h("span", { class: "dfe-quiet" }, "share of each class by score"));
  const head = h("tr", {}, h("th", { scope: "col" }, "at this threshold"), ...SHOWN.map((m) => h("th", { scope: "col" }, m)), h("th", { scope: "col", title: "mean cost per row" }, "cost"));
  const lines = [0, 1, 2].map((i) => { const l = { name: h("bdi"), tds: [...SHOWN, "cost"].map(() => h("td")) }; l.tr = h("tr", { class: `dfe-k${i}` }, h("th", { scope: "row" }, h("i", { class: `dfe-swatch dfe-l${i}`, "aria-hidden": "true" }), l.name), ...l.tds); return l; });
  const price = (name, text) => { const i = h("input", { type: "number", min: 0, step: "any", class: "dfe-number", "aria-label": `cost of a ${text}`, ...QUIET, onchange: () => { if (+i.value >= 0) store.commit({ cost: { [name]: +i.value } }); } }); return i; };
  const fp = price("fp", "false positive"), fn = price("fn", "false negative");
  const prices = h("div", { class: "dfe-bar" }, h("label", {}, "cost of a false positive ", fp), h("label", {}, "false negative ", fn));
  const live = h("div", {}, key, svg, scale, control);
  el.append(h("h3", {}, "Threshold"), use, live, h("div", { class: "dfe-scrollx" }, h("table", { class: "dfe-plain" }, h("thead", {}, head), h("tbody", {}, ...lines.map((l) => l.tr)))), prices);

  const at = (e) => { const r = svg.getBoundingClientRect(), E = store.data.edges; return E[nearest(E, lo + ((hi - lo) * (e.clientX - r.left)) / r.width)]; };
  svg.addEventListener("pointerdown", (e) => { if (!store.data?.tally) return; svg.setPointerCapture(e.pointerId); e.preventDefault(); store.move({ threshold: at(e) }); });
  svg.addEventListener("pointermove", (e) => { if (svg.hasPointerCapture(e.pointerId)) store.move({ threshold: at(e) }); });
  const drop = (e) => { if (svg.hasPointerCapture(e.pointerId)) { svg.releasePointerCapture(e.pointerId); store.commit({}); } };
  svg.addEventListener("pointerup", drop);
  svg.addEventListener("pointercancel", drop);

  let drawn, lo = 0, hi = 1;
  store.subscribe((s, moving) => {
    const { data } = store;
    if (!data?.tally) return;
    const cut = s.threshold !== null, t = data.tally, E = data.edges;
    live.hidden = !cut;
    use.hidden = cut || !store.info.models.find((m) => m.name === s.model)?.threshold;
    if (cut) {
      const k = store.key(), c = store.place(s.selection.cohort), now = JSON.stringify([c, data.source, E.length]);
      if (now !== drawn || store.data !== svg.data) { drawn = now; svg.data = store.data; distribution(t, c); }
      if (slider.max !== String(E.length - 1)) slider.max = E.length - 1;
      if (slider.value !== String(k)) slider.value = k;
      slider.setAttribute("aria-valuetext", number(E[k], 4));
      if (focused(out) !== out) out.value = +E[k].toPrecision(5);
      const x = ((E[k] - lo) / (hi - lo)) * 1000;
      set(rule, { x1: x, x2: x });
      set(grip, { x: x - 6, width: 12 });
    }
    const z = Z[s.level], k = store.key(), shown = groups(store);
    lines.forEach((l, i) => {
      l.tr.hidden = !shown[i];
      if (!shown[i]) return;
      const [cls, c, label] = shown[i], cell = t.cells(c, k);
      l.tr.querySelector("i").setAttribute("class", `dfe-swatch ${cls}`);
      write(l.name, label);
      SHOWN.forEach((m, j) => { const e = METRICS[m](cell, z); write(l.tds[j], number(e[0], Number.isNaN(e[0]) ? 3 : places(...e))); if (!moving) l.tds[j].title = estimate(e); });
      const paid = cost(cell, s.cost), half = z * costError(cell, s.cost);
      write(l.tds[SHOWN.length], number(paid, Number.isNaN(paid) ? 3 : places(paid, paid - half, paid + half)));
    });
    if (!moving) { if (focused(fp) !== fp) fp.value = s.cost.fp; if (focused(fn) !== fn) fn.value = s.cost.fn; }
  }, signal);

  function distribution(t, c) {
    const E = t.edges, n = t.above(c, 0, 0) + t.above(c, 1, 0), bars = Math.max(10, Math.min(BARS, Math.round(Math.sqrt(n) * 2)));
    lo = E[0];
    hi = Math.max(E[E.length - 1], lo + 1e-9);
    const cuts = Array.from({ length: bars + 1 }, (_, b) => (b === bars ? E.length : b === 0 ? 0 : from(E, lo + ((hi - lo) * b) / bars - 1e-12)));
    const shares = [0, 1].map((y) => { const v = t.density(c, y, cuts), sum = t.above(c, y, 0) || 1; return v.map((q) => q / sum); });
    const top = Math.max(...shares.flat(), 1e-12), w = 1000 / bars;
    [neg, pos].forEach((p, y) => p.setAttribute("d", "M0 100" + shares[y].map((q, b) => `L${(b * w).toFixed(1)} ${(99 - (q / top) * 95).toFixed(2)}H${((b + 1) * w).toFixed(1)}`).join("") + "L1000 100"));
    scale.replaceChildren(...[0, 0.25, 0.5, 0.75, 1].map((q) => h("span", {}, number(lo + q * (hi - lo), 2))));
    svg.setAttribute("aria-description", `${count(n)} rows`);
  }
}
