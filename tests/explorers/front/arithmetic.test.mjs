import assert from "node:assert/strict";
import test from "node:test";
import { METRICS, calibration, cost, costError, decode, differ, few, from, gains, holm, ks, nearest, order, pr, roc, strictest, twoSided, wilson } from "../../../src/dfevals/explorers/front/arithmetic.mjs";

const round = (xs, d = 4) => xs.map((x) => +x.toFixed(d));
// one cohort, two classes, four keys: negatives 4 3 2 1, positives 1 1 2 6
const about = { edges: [0, 0.25, 0.5, 0.75], sizes: [20, 20], overall: [4, 3, 2, 1, 1, 1, 2, 6], large: [], type: "uint8" };
const tally = () => decode(new DataView(Uint8Array.of(4, 3, 2, 1, 1, 1, 2, 6).buffer), about);

test("counts at a key are sums from there upwards, and the last cohort is overall", () => {
  const t = tally();
  assert.deepEqual(t.cells(0, 2), { tp: 8, fp: 3, fn: 2, tn: 7 });
  assert.deepEqual(t.cells(1, 2), t.cells(0, 2));
  assert.deepEqual(t.density(0, 1, [0, 2, 4]), [2, 8]);
});
test("counts too large for their type are listed apart; a buffer may begin anywhere", () => {
  const bytes = Uint8Array.of(9, 9, 9, 0, 3, 2, 1, 1, 1, 2, 6);
  const t = decode(new DataView(bytes.buffer, 3), { ...about, large: [0, 400], overall: [400, 3, 2, 1, 1, 1, 2, 6] });
  assert.equal(t.cells(0, 0).fp, 406);
});
test("Wilson of 8 in 10, the ends, and nothing of nothing", () => {
  assert.deepEqual(round(wilson(8, 10)), [0.8, 0.4902, 0.9433]);
  assert.equal(wilson(0, 10)[1], 0);
  assert.equal(wilson(10, 10)[2], 1);
  assert.ok(METRICS.precision({ tp: 0, fp: 0, fn: 1, tn: 1 }).every(Number.isNaN));
});
test("a metric is undefined only where its own denominator is 0", () => {
  const c = { tp: 0, fp: 0, fn: 4, tn: 6 };
  assert.ok(Number.isNaN(METRICS.precision(c)[0]));
  assert.equal(METRICS.recall(c)[0], 0);
});
test("two-sided p of the normal distribution", () => {
  for (const [z, p] of [[0, 1], [1, 0.31731050786291415], [1.959963984540054, 0.05], [2.8284, 0.004678125], [3, 0.0026997960632601866], [6, 1.973175290075e-9], [10, 1.523970604832e-23]]) assert.ok(Math.abs(twoSided(z) / p - 1) < 1e-5, `${z}`);
  assert.ok(Number.isNaN(twoSided(NaN)));
});
test("Holm corrects in order, never beyond 1, and leaves out what was not tested", () => {
  assert.deepEqual(round([...holm([0.01, NaN, 0.04, 0.03])].filter((p) => !Number.isNaN(p))), [0.03, 0.06, 0.06]);
  assert.equal(holm([0.9, 0.8])[1], 1);
});
test("equal estimates do not differ, far ones do, and what is undefined is not tested", () => {
  const c = (tp, fn) => ({ tp, fn, fp: 0, tn: 0 });
  assert.equal(differ(METRICS.recall, c(5, 5), c(50, 50), 1.96), 1);
  assert.ok(differ(METRICS.recall, c(95, 5), c(50, 50), 1.96) < 1e-6);
  assert.ok(Number.isNaN(differ(METRICS.recall, c(0, 0), c(50, 50), 1.96)));
});
test("the strictest quantile is Bonferroni's", () => {
  assert.equal(+strictest(0.95, 10).toFixed(4), 2.807);
  assert.ok(Number.isNaN(strictest(0.95, 1)));
});
test("fewer than five events on either side are too few", () => {
  assert.ok(few("recall", { tp: 4, fn: 90, fp: 0, tn: 0 }));
  assert.ok(!few("recall", { tp: 5, fn: 90, fp: 0, tn: 0 }));
  assert.ok(!few("recall", { tp: 0, fn: 0, fp: 9, tn: 9 }));
});
test("keys of thresholds", () => {
  const E = [0, 0.25, 0.5, 0.75];
  assert.equal(nearest(E, 0.5), 2);
  assert.equal(nearest(E, 0.6), 2);
  assert.equal(nearest(E, 9), 3);
  assert.equal(nearest(E, -9), 0);
  assert.equal(from(E, 0.5), 2);
  assert.equal(from(E, 0.51), 3);
  assert.equal(from(E, 0.76), 4);
});
test("curves begin and end where they must", () => {
  const t = tally(), r = roc(t, 0), g = gains(t, 0), p = pr(t, 0);
  assert.deepEqual(r[0], [1, 1]);
  assert.deepEqual(r.at(-1), [0, 0]);
  assert.deepEqual(g[0], [0, 0]);
  assert.deepEqual(g.at(-1), [1, 1]);
  assert.deepEqual(p[0], [1, 0.5]);
  assert.deepEqual(round(ks(t, 0)), [0.5, 2]);
});
test("calibration bins hold all rows", () => {
  const found = calibration(tally(), 0, 3, 1.96);
  assert.equal(found.reduce((a, b) => a + b.n, 0), 20);
  assert.deepEqual(found.map((b) => b.low), [0, 0.25, 0.5]);
  assert.equal(found.at(-1).high, Infinity);
  assert.ok(found.every((b) => b.mean >= b.low));
});
test("order: what has no value is last whichever way, numbers in names count", () => {
  assert.deepEqual(order([2, NaN, 1, 3], false), [2, 0, 3, 1]);
  assert.deepEqual(order([2, NaN, 1, 3], true), [3, 0, 2, 1]);
  assert.deepEqual(order(["a10", "a9"], false), [1, 0]);
});
test("the cost per row and its standard error are those of the rows' costs", () => {
  const c = { tp: 5, fp: 2, fn: 1, tn: 12 }, price = { fp: 1, fn: 5 }, rows = [1, 1, 5, ...Array(17).fill(0)];
  const mean = rows.reduce((a, b) => a + b) / rows.length, variance = rows.reduce((a, b) => a + (b - mean) ** 2, 0) / rows.length;
  assert.equal(cost(c, price), mean);
  assert.ok(Math.abs(costError(c, price) - Math.sqrt(variance / rows.length)) < 1e-12);
  assert.equal(costError({ tp: 5, fp: 0, fn: 0, tn: 1 }, price), 0);
});
