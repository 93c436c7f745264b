import assert from "node:assert/strict";
import { test } from "node:test";
import { worded, type Loop, type Verdict } from "../src/status";

const loop = (answer: string, words: string, line = 4): Loop => ({ answer, words, codes: [], location: { uri: "file:///a.py", range: { start: { line } } } });
const verdict = (answer: Verdict["answer"], loops: Loop[], problem: string | null = null): Verdict => ({ uri: "file:///a.py", version: 1, answer, problem, loops });

test("each verdict has its words", () => {
  assert.equal(worded(verdict("verified", [loop("verified", "verified")]))?.text, "$(pass) gradlint: verified");
  assert.equal(worded(verdict("wrong", [loop("wrong", "wrong: GRD101")]))?.text, "$(error) gradlint: wrong");
  assert.equal(worded(verdict("unknown", [loop("unknown", "unknown: why")]))?.text, "$(question) gradlint: unknown");
  assert.equal(worded(verdict("silenced", [loop("silenced", "wrong: GRD101 (silenced)")]))?.text, "$(bell-slash) gradlint: silenced");
});

test("only what is wrong is alarming", () => {
  assert.equal(worded(verdict("wrong", [loop("wrong", "")]))?.alarming, true);
  assert.equal(worded(verdict("unknown", [loop("unknown", "")]))?.alarming, false);
});

test("several loops are counted", () => {
  const loops = [loop("wrong", "wrong: GRD101"), loop("verified", "verified"), loop("wrong", "wrong: GRD201")];
  assert.equal(worded(verdict("wrong", loops))?.text, "$(error) gradlint: wrong (2 of 3 loops)");
  assert.equal(worded(verdict("verified", [loop("verified", ""), loop("verified", "")]))?.text, "$(pass) gradlint: verified (2 loops)");
});

test("the details name the line of each loop, and show code as it is", () => {
  const words = worded(verdict("unknown", [loop("unknown", "unknown: no run reaches `a_b[0]`")]));
  assert.deepEqual(words?.details, ["Line 5: unknown: no run reaches \\`a\\_b\\[0\\]\\`"]);
});

test("a file without training has no words, and one that was not checked says why", () => {
  assert.equal(worded(verdict("none", [])), undefined);
  assert.deepEqual(worded(verdict("none", [], "gradlint.toml: unknown rule"))?.details, ["gradlint\\.toml: unknown rule"]);
});
