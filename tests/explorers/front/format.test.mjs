import assert from "node:assert/strict";
import test from "node:test";
import { count, estimate, number, percent, places, pvalue, signed, ticks } from "../../../src/dfevals/explorers/front/format.mjs";

test("numbers are written to their uncertainty, as in the tables of the package", () => {
  assert.equal(estimate([0.81234, 0.7981, 0.8252]), "0.812 [0.798, 0.825]");
  assert.equal(places(8123.4, 7980, 8250), 0);
  assert.equal(places(0.8123), 3);
  assert.equal(number(NaN), "–");
  assert.equal(number(-0.00001, 3), "0.000");
  assert.equal(number(-1.5, 1), "−1.5");
  assert.equal(estimate([0.5, NaN, NaN]), "0.500");
});
test("counts, shares, differences and p-values", () => {
  assert.equal(count(48842), "48,842");
  assert.equal(count(12.25), "12.3");
  assert.equal(percent(0.001), "<1 %");
  assert.equal(percent(0.999), ">99 %");
  assert.equal(signed(0.25, 2), "+0.25");
  assert.equal(signed(-0.25, 2), "−0.25");
  assert.equal(pvalue(2e-9), "<0.001");
  assert.equal(pvalue(0.21), "0.21");
  assert.equal(pvalue(NaN), "–");
});
test("ticks are round and inside", () => {
  assert.deepEqual(ticks(0, 1, 5), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  assert.deepEqual(ticks(0.13, 0.41, 3), [0.2, 0.3, 0.4]);
  assert.deepEqual(ticks(5, 5), [5]);
});
