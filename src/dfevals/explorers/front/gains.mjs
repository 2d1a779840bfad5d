import { gains as gain, ks } from "./arithmetic.mjs";
import { curves } from "./curves.mjs";
import { name } from "./elements.mjs";
import { number, percent } from "./format.mjs";

// Gain, lift and the gap of the classes by depth: what is found among the rows of the highest scores.

const unit = [0, 1];
const total = (t, c) => t.above(c, 0, 0) + t.above(c, 1, 0);
/** Share of the rows at or above key k. */
export const depth = (t, c, k) => (t.above(c, 0, k) + t.above(c, 1, k)) / total(t, c);
const found = (t, c, k) => t.above(c, 1, k) / t.above(c, 1, 0);
/** How many times as many positives lie at or above key k as among as many rows taken at random; NaN without rows or positives. */
export const lift = (t, c, k) => found(t, c, k) / depth(t, c, k);
/** Share of the positives less share of the negatives at or above key k: its greatest size is the Kolmogorov–Smirnov distance. */
export const gap = (t, c, k) => found(t, c, k) - t.above(c, 0, k) / t.above(c, 0, 0);

const along = (f) => (t, c) => { const out = []; for (let k = t.keys; k >= 0; k--) out.push([depth(t, c, k), f(t, c, k)]); return out.filter(([, y]) => !Number.isNaN(y)); };
const point = (f) => (t, c, k) => [depth(t, c, k), f(t, c, k)];
const peak = (t, c) => point(gap)(t, c, ks(t, c)[1]);
const shape = (label, ylabel, f) => ({ label, x: unit, xlabel: "share of rows, highest score first", ylabel, at: point(f), width: 240, height: 210 });
const CHARTS = [
  ["Gain", { ...shape("gain by depth", "share of positives found", found), y: unit, points: gain, diagonal: [[0, 0], [1, 1]] }],
  ["Lift", { ...shape("lift by depth", "lift", lift), y: (ends) => [0, Math.max(1, ...ends) * 1.05], points: along(lift), diagonal: [[0, 1], [1, 1]] }],
  ["KS", { ...shape("gap of the classes by depth", "positives − negatives found", gap), y: (ends) => [Math.min(0, ...ends), Math.max(0.1, ...ends) * 1.05], points: along(gap), mark: peak }],
];

/** The selected cohort at the threshold and where its classes are furthest apart, in words. */
function words(store, s) {
  const t = store.data.tally, c = store.place(s.selection.cohort), k = store.key(), far = ks(t, c)[1];
  return [name(store.label(c)), `: at the threshold ${percent(depth(t, c, k))} of the rows hold ${percent(found(t, c, k))} of the positives, lift ${number(lift(t, c, k), 2)}, gap ${number(gap(t, c, k), 2)}. `,
    ...(Number.isNaN(gap(t, c, far)) ? [] : [`The classes are furthest apart (ring) near score ${number(t.edges[far], 3)}, at ${percent(depth(t, c, far))} of the rows.`])];
}
export const gains = curves(CHARTS, ["ks"], words);
