import assert from "node:assert/strict";
import test from "node:test";
import { decode } from "../../../src/dfevals/explorers/front/arithmetic.mjs";
import { depth, gap, lift } from "../../../src/dfevals/explorers/front/gains.mjs";

// one cohort, four keys: negatives 4 3 2 1, positives 1 1 2 6; a second cohort without positives; overall is their sum
const about = { edges: [0, 0.25, 0.5, 0.75], sizes: [20, 10, 30], overall: [8, 6, 4, 2, 1, 1, 2, 6], large: [], type: "uint8" };
const t = decode(new DataView(Uint8Array.of(4, 3, 2, 1, 1, 1, 2, 6, 4, 3, 2, 1, 0, 0, 0, 0).buffer), about);
const round = (x) => +x.toFixed(12);

test("lift is the share found over the share taken, by hand", () => {
  assert.deepEqual([0, 1, 2, 3].map((k) => round(depth(t, 0, k))), [1, 15 / 20, 11 / 20, 7 / 20].map(round));
  assert.deepEqual([0, 1, 2, 3].map((k) => round(lift(t, 0, k))), [1, 9 / 10 / (15 / 20), 8 / 10 / (11 / 20), 6 / 10 / (7 / 20)].map(round));
  assert.equal(round(lift(t, 2, 3)), round(6 / 10 / (8 / 30)));
});
test("the gap is the difference of the classes' shares", () => {
  assert.deepEqual([0, 1, 2, 3].map((k) => round(gap(t, 0, k))), [0, 0.9 - 0.6, 0.8 - 0.3, 0.6 - 0.1].map(round));
});
test("nothing taken and no positives have no lift and no gap", () => {
  assert.ok(Number.isNaN(lift(t, 0, 4)));
  assert.ok(Number.isNaN(lift(t, 1, 2)));
  assert.ok(Number.isNaN(gap(t, 1, 2)));
});
