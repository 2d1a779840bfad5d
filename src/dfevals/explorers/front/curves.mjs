import { Z, calibration as bins, gains as gain, ks, pr as recalls, roc as rates } from "./arithmetic.mjs";
import { chart, groups, legend } from "./charts.mjs";
import { h, name, set, write } from "./elements.mjs";
import { answered, toggle } from "./confusion.mjs";
import { count, estimate, number, percent } from "./format.mjs";

// Curves from the counts: ROC, precision and recall, calibration, gains. The dot is the threshold.

const unit = [0, 1];
const NAMES = { roc_auc: "ROC AUC", average_precision: "average precision", ks: "KS", ece: "ECE", brier: "Brier" };

function curve(options, points, at, wanted, diagonal) {
  return (store, el, signal) => {
    const keys = h("div"), box = h("div"), facts = h("p", { class: "dfe-note" }), none = h("p", { class: "dfe-note" }, "A curve needs a score that is cut at a threshold.");
    el.append(keys, box, facts, none);
    const c = chart(box, options);
    if (diagonal) c.line("dfe-diag", diagonal);
    const lines = ["dfe-l0", "dfe-l1", "dfe-l2"].map((cls) => ({ band: c.band(cls), line: c.line(`dfe-line ${cls}`, []), dot: c.dot(`dfe-dot ${cls}`), drawn: null }));
    let said;
    store.subscribe((s) => {
      const t = store.data?.tally, ok = t && s.threshold !== null;
      box.hidden = keys.hidden = !ok;
      none.hidden = !!ok;
      if (!ok) return;
      const shown = groups(store), k = store.key(), text = JSON.stringify(shown);
      if (text !== said) { said = text; keys.replaceChildren(legend(shown.map(([cls, , label]) => [cls, label]))); }
      lines.forEach((l, i) => {
        const group = shown[i];
        if (!group) { l.line.show(false); l.dot(NaN, NaN); l.band(null); return; }
        const key = `${group[1]}`;
        if (l.drawn !== key || l.data !== store.data) { l.drawn = key; l.data = store.data; l.line.set(points(t, group[1])); l.line.show(true); }
        l.line.show(true);
        l.dot(...at(t, group[1], k));
      });
    }, signal);
    answered(store, signal, "bands", (s) => [s.model, s.level, s.selection.cohort, s.selection.compare, s.by, s.view], (a, error) => groups(store).forEach(([, , , key], i) => lines[i].band(error ? null : a.bands[key])), el);
    summary(store, signal, wanted, facts, el);
  };
}
function summary(store, signal, wanted, facts, el) {
  answered(store, signal, "ranking", (s) => [s.model, s.level, s.selection.cohort, s.by, s.view], (a, error, s) => {
    const rows = error ? [] : a.metrics.filter(([m]) => wanted.includes(m));
    facts.replaceChildren(...(error ? [error] : [rows.length ? name(s.selection.cohort ? s.selection.cohort.join(" × ") : "All rows") : "", ...rows.map(([m, v, lo, hi]) => ` · ${NAMES[m]} ${estimate([v ?? NaN, lo ?? NaN, hi ?? NaN])}`)]));
  }, el);
}

export const roc = curve({ label: "ROC curve", x: unit, y: unit, xlabel: "false positive rate", ylabel: "recall" }, rates, (t, c, k) => rates2(t, c, k), ["roc_auc"], [[0, 0], [1, 1]]);
const rates2 = (t, c, k) => [t.above(c, 0, k) / t.above(c, 0, 0), t.above(c, 1, k) / t.above(c, 1, 0)];
export const pr = curve({ label: "precision and recall", x: unit, y: unit, xlabel: "recall", ylabel: "precision" }, recalls, (t, c, k) => { const tp = t.above(c, 1, k); return [tp / t.above(c, 1, 0), tp / (tp + t.above(c, 0, k))]; }, ["average_precision"]);

export function gains(store, el, signal) {
  const table = h("p", { class: "dfe-note" });
  curve({ label: "cumulative gain", x: unit, y: unit, xlabel: "share of rows, highest score first", ylabel: "share of positives found" }, gain, (t, c, k) => { const n = t.above(c, 0, 0) + t.above(c, 1, 0); return [(t.above(c, 0, k) + t.above(c, 1, k)) / n, t.above(c, 1, k) / t.above(c, 1, 0)]; }, ["ks"], [[0, 0], [1, 1]])(store, el, signal);
  el.append(table);
  store.subscribe((s) => {
    const t = store.data?.tally;
    if (!t || s.threshold === null) { write(table, ""); return; }
    const c = store.place(s.selection.cohort), k = store.key(), n = t.above(c, 0, 0) + t.above(c, 1, 0), rows = t.above(c, 0, k) + t.above(c, 1, k), found = t.above(c, 1, k) / t.above(c, 1, 0), [gap, where] = ks(t, c);
    write(table, `At the threshold: ${percent(rows / n)} of the rows hold ${percent(found)} of the positives, lift ${number(found / (rows / n), 2)}. Greatest gap of the classes ${number(gap, 3)} at ${number(t.edges[where], 3)}.`);
  }, signal);
}

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
    box.replaceChildren();
    const range = [Math.min(0, E()[0]), Math.max(1, E()[E().length - 1])];
    c = chart(box, { label: "calibration: observed share of positives by score", x: range, y: unit, xlabel: "mean score", ylabel: "share of positives" });
    c.data = store.data;
    if (range[0] === 0 && range[1] === 1) c.line("dfe-diag", [[0, 0], [1, 1]]);
    keys.replaceChildren(legend(shown.map(([cls, , label]) => [cls, label])));
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
  }, signal);
  summary(store, signal, ["ece", "brier"], facts, el);
}
