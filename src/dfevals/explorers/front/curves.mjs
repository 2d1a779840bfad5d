import { Z, calibration as bins, pr as recalls, roc as rates } from "./arithmetic.mjs";
import { chart, cohortLegend, groups, redraw } from "./charts.mjs";
import { h, name, set } from "./elements.mjs";
import { answered, toggle } from "./confusion.mjs";
import { count, estimate, number } from "./format.mjs";

// Curves from the counts: ROC, precision and recall, calibration. The dot is the threshold.

const unit = [0, 1];
const NAMES = { roc_auc: "ROC AUC", average_precision: "average precision", ks: "KS", ece: "ECE", brier: "Brier" };

/**
 * A chart with a line per cohort on view and a dot at the threshold, made anew only when the cohorts or the counts change.
 * `points(t, c)` gives the line, `at(t, c, k)` the dot, `mark(t, c)` a point to be ringed; `y` may be worked out of the lines.
 */
function lines(store, box, { points, at, mark, diagonal, y, ...options }) {
  let drawn = [], shown, data;
  return {
    bands: (found) => { for (const l of drawn) l.band(found?.[l.key]); },
    draw: () => {
      const t = store.data.tally, now = groups(store), text = JSON.stringify(now);
      if (text !== shown || data !== store.data) {
        [shown, data] = [text, store.data];
        const curves = now.map(([, c]) => points(t, c)), c = (box.replaceChildren(), chart(box, { ...options, y: typeof y === "function" ? y(curves.flat().map((p) => p[1]).filter(Number.isFinite)) : y }));
        if (diagonal) c.line("dfe-diag", diagonal);
        drawn = now.map(([cls, of, , key], i) => ({ key, of, band: c.band(cls), line: c.line(`dfe-line ${cls}`, curves[i]), cls }));
        for (const l of drawn) {
          if (mark) { const [u, v] = mark(t, l.of); c.line(`dfe-drop ${l.cls}`, [[u, 0], [u, v]]); c.dot(`dfe-ring ${l.cls}`)(u, v); }
          l.dot = c.dot(`dfe-dot ${l.cls}`);
        }
      }
      for (const l of drawn) l.dot(...at(t, l.of, store.key()));
    },
  };
}
/** A pane of charts of the same cohorts: [heading, chart], with their legend, the kernel's bands for the first, and what the curve amounts to. */
export function curves(charts, wanted, words = null) {
  return (store, el, signal) => {
    const keys = h("div"), box = h("div", charts.length > 1 ? { class: "dfe-charts" } : {}), facts = h("p", { class: "dfe-note" }), said = h("p", { class: "dfe-note" }), none = h("p", { class: "dfe-note" }, "A curve needs a score that is cut at a threshold.");
    const made = charts.map(([heading, about]) => { const own = h("div"); box.append(h("div", {}, heading && h("h4", {}, heading), own)); return lines(store, own, about); });
    el.append(keys, box, none);
    (charts.length > 1 ? box : el).append(h("div", { class: "dfe-words" }, said, facts)); // beside the charts where they leave room
    let known;
    store.subscribe((s) => {
      const ok = store.data?.tally && s.threshold !== null;
      box.hidden = keys.hidden = said.hidden = !ok;
      none.hidden = !!ok;
      if (!ok) return;
      const shown = groups(store), text = JSON.stringify([shown, store.data.sizes]);
      if (text !== known) { known = text; keys.replaceChildren(cohortLegend(store, shown)); }
      for (const x of made) x.draw();
      said.replaceChildren(...(words ? words(store, s) : []));
    }, signal);
    answered(store, signal, "bands", (s) => [s.model, s.level, s.selection.cohort, s.selection.compare, s.by, s.view], (a, error) => made[0].bands(error ? null : a.bands), el);
    summary(store, signal, wanted, facts, el);
  };
}
function summary(store, signal, wanted, facts, el) {
  answered(store, signal, "ranking", (s) => [s.model, s.level, s.selection.cohort, s.by, s.view], (a, error, s) => {
    const rows = error ? [] : a.metrics.filter(([m]) => wanted.includes(m));
    facts.replaceChildren(...(error ? [error] : [rows.length ? name(s.selection.cohort ? s.selection.cohort.join(" × ") : "All rows") : "", ...rows.map(([m, v, lo, hi]) => ` · ${NAMES[m]} ${estimate([v ?? NaN, lo ?? NaN, hi ?? NaN])}`)]));
  }, el);
}

export const roc = curves([["", { label: "ROC curve", x: unit, y: unit, xlabel: "false positive rate", ylabel: "recall", points: rates, at: (t, c, k) => [t.above(c, 0, k) / t.above(c, 0, 0), t.above(c, 1, k) / t.above(c, 1, 0)], diagonal: [[0, 0], [1, 1]] }]], ["roc_auc"]);
export const pr = curves([["", { label: "precision and recall", x: unit, y: unit, xlabel: "recall", ylabel: "precision", points: recalls, at: (t, c, k) => { const tp = t.above(c, 1, k); return [tp / t.above(c, 1, 0), tp / (tp + t.above(c, 0, k))]; } }]], ["average_precision"]);

export function calibration(store, el, signal) {
  const keys = h("div"), box = h("div"), facts = h("p", { class: "dfe-note" }), hint = h("p", { class: "dfe-note" }, "Observed share of positives by score, with intervals. Press a point to read its rows.");
  el.append(keys, box, hint, facts);
  const E = () => store.data?.edges;
  let c, drawn;
  store.subscribe((s, live) => {
    const t = store.data?.tally;
    if (!t || s.threshold === null) { box.replaceChildren(h("p", { class: "dfe-note" }, "Calibration needs a score.")); drawn = null; return; }
    const shown = groups(store), text = JSON.stringify([shown, s.level, store.data.source, s.selection.cell]);
    if (live || (text === drawn && c?.data === store.data)) return;
    drawn = text;
    redraw(box, () => {
      const range = [Math.min(0, E()[0]), Math.max(1, E()[E().length - 1])];
      c = chart(box, { label: "calibration: observed share of positives by score", x: range, y: unit, xlabel: "mean score", ylabel: "share of positives" });
      c.data = store.data;
      if (range[0] === 0 && range[1] === 1) c.line("dfe-diag", [[0, 0], [1, 1]]);
      keys.replaceChildren(cohortLegend(store, shown));
      shown.forEach(([cls, at], i) => {
        const found = bins(t, at, 10, Z[s.level]);
        c.line(`dfe-line ${cls}`, found.map((b) => [b.mean, b.observed[0]]));
        for (const b of found) {
          const x = c.px(b.mean);
          c.body.append(h("line", { class: `dfe-line ${cls}`, x1: x, x2: x, y1: c.py(b.observed[1]), y2: c.py(b.observed[2]) }));
          const high = Number.isFinite(b.high) ? b.high : 1e300, cell = { kind: "score", low: b.low, high };
          const here = i === (s.selection.cohort ? 1 : 0), on = JSON.stringify(s.selection.cell) === JSON.stringify(cell) && here, press = () => toggle(store, cell);
          const dot = h("circle", { class: `dfe-dot ${cls}${on ? " dfe-picked" : ""}`, cx: x, cy: c.py(b.observed[0]), r: here ? 6 : 3.5 }, h("title", {}, `score ${number(b.low, 3)} to ${b.high < 1e300 ? number(b.high, 3) : "the greatest"}: ${estimate(b.observed)} positive, ${count(b.n)} rows`));
          if (here) { set(dot, { tabindex: 0, role: "button", "aria-pressed": on, "aria-label": `score from ${number(b.low, 3)}: ${estimate(b.observed)} positive, ${count(b.n)} rows` }); dot.addEventListener("click", press); dot.addEventListener("keydown", (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); press(); } }); }
          c.body.append(dot);
        }
      });
    });
  }, signal);
  summary(store, signal, ["ece", "brier"], facts, el);
}
