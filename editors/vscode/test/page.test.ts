import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "../src/page";

test("the page runs its own script and loads nothing else", () => {
  const html = page({ csp: "https://cdn", script: "https://cdn/view.js", style: "https://cdn/a.css", nonce: "abc" });
  assert.match(html, /default-src 'none'; style-src https:\/\/cdn 'nonce-abc'; script-src 'nonce-abc'"/);
  assert.ok(!html.includes("unsafe-inline") && !html.includes("unsafe-eval"));
  assert.equal(html.match(/<script/g)?.length, 1);
});
