import assert from "node:assert/strict";
import { test } from "node:test";
import { needsRestart, readSettings, resolved, serverSettings, type Places } from "../src/settings";

const places: Places = { workspaceFolder: "/project", userHome: "/home/me", env: { VENV: "/venvs/a" } };
const given = (values: Record<string, unknown>) => readSettings((name, fallback) => (name in values ? (values[name] as typeof fallback) : fallback));

test("the server gets its own settings, and only those that are set", () => {
  assert.deepEqual(serverSettings(given({}), places), { showSyntaxErrors: true });
  const settings = given({ select: ["GRD1"], unsafeFixes: false, path: ["/bin/gradlint"], fixOnSave: true, configuration: "conf/gradlint.toml" });
  assert.deepEqual(serverSettings(settings, places), {
    select: ["GRD1"],
    unsafeFixes: false,
    configuration: "/project/conf/gradlint.toml",
    showSyntaxErrors: true,
  });
});

test("an empty selection is not the same as none", () => {
  assert.deepEqual(serverSettings(given({ select: [] }), places), { select: [], showSyntaxErrors: true });
});

test("paths may contain variables", () => {
  assert.equal(resolved("${workspaceFolder}/a", places), "/project/a");
  assert.equal(resolved("~/a", places), "/home/me/a");
  assert.equal(resolved("${userHome}/a", places), "/home/me/a");
  assert.equal(resolved("${env:VENV}/bin/python", places), "/venvs/a/bin/python");
  assert.equal(resolved("a/b", places), "/project/a/b");
  assert.equal(resolved("C:\\a", places), "C:\\a");
  assert.equal(resolved("a", { ...places, workspaceFolder: undefined }), "a");
});

test("only another program needs another process", () => {
  assert.equal(needsRestart(given({}), given({ select: ["GRD1"], fixOnSave: true })), false);
  for (const change of [{ enable: false }, { path: ["/a"] }, { interpreter: ["/a"] }]) {
    assert.equal(needsRestart(given({}), given(change)), true);
  }
});
