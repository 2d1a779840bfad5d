import assert from "node:assert/strict";
import { deflateSync } from "node:zlib";
import test from "node:test";
import { ALONE, alone, unpack } from "../../../src/dfevals/explorers/front/copy.mjs";
import { makeStore } from "../../../src/dfevals/explorers/front/store.mjs";

const STATE = { by: ["g"], model: "m", against: null, metric: "f1", threshold: 0.5, level: 0.95, cost: { fp: 1, fn: 1 }, selection: { cohort: null, compare: null, cell: null }, table: {}, rows: { page: 0 }, rating: {}, tags: {}, ratings: {} };
const about = { edges: [0, 0.5, 0.75], paths: [["a"], ["b"]], sizes: [8, 4, 12], overall: [3, 2, 1, 1, 2, 3], large: [], type: "uint8", notes: [], dropped: {}, names: ["g"] };
const copy = {
  state: STATE, info: { metrics: [{ name: "f1", live: true, range: [0, 1] }] }, left_out: [], rows: true,
  depends: { counts: ["by", "model", "cut"], rows: ["selection", "rows"] },
  answers: [
    { ask: "counts", at: [["g"], "m", true], answer: about, bytes: Buffer.from(Uint8Array.of(2, 1, 1, 1, 1, 2, 1, 1, 0, 0, 1, 1)).toString("base64") },
    { ask: "rows", at: [{ cohort: null, compare: null, cell: null }, { page: 0 }], answer: { total: 12 } },
  ],
};
const later = (ms = 5) => new Promise((ok) => setTimeout(ok, ms));
const opened = async () => { const store = makeStore(alone(structuredClone(copy)), (g) => setTimeout(g, 0)); await later(); return store; };

test("what is packed is read back", async () => {
  const text = deflateSync(Buffer.from(JSON.stringify({ a: "é", b: [1] }))).toString("base64");
  assert.deepEqual(await unpack(text), { a: "é", b: [1] });
});
test("counts that travelled are decoded, and a threshold moves over them", async () => {
  const store = await opened();
  assert.equal(store.data.C, 2);
  assert.deepEqual(store.data.tally.cells(2, 1), { tp: 5, fp: 3, fn: 1, tn: 3 });
  store.commit({ threshold: 0.75 });
  await later();
  assert.deepEqual(store.data.tally.cells(2, store.key()), { tp: 3, fp: 1, fn: 3, tn: 5 });
});
test("the rows on view travelled, others need the kernel", async () => {
  const store = await opened();
  assert.deepEqual((await store.ask("rows", { ask: "rows" })).answer, { total: 12 });
  store.commit({ rows: { page: 1 } });
  assert.equal((await store.ask("rows", { ask: "rows" })).error, ALONE);
  assert.equal((await store.ask("code", { ask: "code", kind: "rows" })).error, ALONE);
  assert.equal(store.problem, null);
});
test("a question with a text of its own is not answered by what travelled without it", async () => {
  const store = await opened();
  assert.equal((await store.ask("cell", { ask: "rows", at: 3 })).error, ALONE);
});
