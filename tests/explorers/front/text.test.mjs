import assert from "node:assert/strict";
import test from "node:test";
import { long, neighbour, summary } from "../../../src/dfevals/explorers/front/text.mjs";

test("the next row is looked up among those that the kernel told, and never beyond them", () => {
  const answer = { start: 10, window: [7, 3, 9, 4] };
  assert.deepEqual(neighbour(answer, 11, 1), { ordinal: 12, at: 9 });
  assert.deepEqual(neighbour(answer, 11, -1), { ordinal: 10, at: 7 });
  assert.deepEqual(neighbour(answer, 13, 1), { ordinal: 13, at: 4 });
  assert.deepEqual(neighbour(answer, 10, -5), { ordinal: 10, at: 7 });
});
test("long texts, many lines and many passages are folded, marks or not", () => {
  const block = (...pieces) => ({ pieces });
  assert.equal(long([block("short", ["marked", 0, false, true])]), false);
  assert.equal(long([block("x".repeat(500), ["y".repeat(500), 0, false, true])]), true);
  assert.equal(long([block("\n".repeat(20))]), true);
  assert.equal(long(Array(5).fill(block("a"))), true);
});
test("a screen reader is told every verdict with the answer that it is of", () => {
  assert.equal(summary({ verdicts: [{ name: "grounded", letter: "A", verdict: "passed" }, { name: "pii", letter: "", verdict: "error" }] }), "grounded of A passed, pii error");
});
