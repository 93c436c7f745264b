import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { candidates, complaint, found, installation, judged, ofCommand, ofInterpreter, type Candidate, type World } from "../src/command";
import { readSettings } from "../src/settings";

const given = (values: Record<string, unknown>) => readSettings((name, fallback) => (name in values ? (values[name] as typeof fallback) : fallback));
const FILES = ["/venv/bin/python", "/usr/bin/python3", "/usr/bin/gradlint", "/project/.venv/bin/python", "/project/bin/python3"];
const world = (more: Partial<World> = {}): World => ({
  places: { workspaceFolder: "/project", userHome: "/home/me", env: { PATH: "/usr/bin:/bin" } },
  trusted: true,
  selected: "/project/.venv/bin/python",
  exists: (path) => FILES.includes(path),
  platform: "linux",
  ...more,
});
const commands = (all: Candidate[]) => all.map((each) => each.command);

test("the selected interpreter comes before what is on the PATH", () => {
  assert.deepEqual(commands(candidates(given({}), world())), ["/project/.venv/bin/python", "/usr/bin/gradlint", "/usr/bin/python3"]);
  assert.deepEqual(commands(candidates(given({}), world({ selected: undefined }))), ["/usr/bin/gradlint", "/usr/bin/python3"]);
});

test("what the settings name stands alone, and the command comes first", () => {
  const interpreter = ["/missing/python", "/venv/bin/python"];
  assert.deepEqual(candidates(given({ interpreter }), world()), [ofInterpreter("/venv/bin/python")]);
  assert.deepEqual(candidates(given({ interpreter, path: ["/usr/bin/gradlint"] }), world()), [ofCommand("/usr/bin/gradlint")]);
  assert.deepEqual(commands(candidates(given({ interpreter: ["${workspaceFolder}/.venv/bin/python"] }), world())), ["/project/.venv/bin/python"]);
  assert.equal(candidates(given({ path: ["/missing"] }), world()).length, 3, "as if it were not set");
});

test("a workspace that is not trusted names no program", () => {
  const places = { workspaceFolder: "/project", userHome: "/home/me", env: { PATH: "/project/bin:.:bin:/usr/bin" } };
  assert.deepEqual(commands(candidates(given({}), world({ trusted: false, places }))), ["/usr/bin/gradlint", "/usr/bin/python3"]);
});

test("on Windows, programs on the PATH end in .exe", () => {
  const places = { workspaceFolder: "C:\\work", userHome: "C:\\me", env: { Path: "C:\\tools;D:\\python" } };
  const exists = (path: string) => path === "D:\\python\\python.exe";
  assert.deepEqual(commands(candidates(given({}), world({ selected: undefined, platform: "win32", places, exists }))), ["D:\\python\\python.exe"]);
});

test("a program is judged by how it ends", () => {
  assert.equal(judged({ status: 0, stderr: "" }), "works");
  assert.equal(judged({ status: 2, stderr: 'error: the language server needs an extra: pip install "torch-gradlint[lsp]"' }), "lacks the extra");
  assert.equal(judged({ status: 1, stderr: "ModuleNotFoundError: No module named 'gradlint'" }), "is no gradlint");
  assert.equal(judged({ status: null, stderr: "timed out" }), "is no gradlint");
});

test("the first program that works is used, or else the best one to install for", async () => {
  const all = [ofInterpreter("/a/python"), ofCommand("/b/gradlint"), ofInterpreter("/c/python")];
  const run = (answers: Record<string, number>) => (each: Candidate) =>
    Promise.resolve({ status: answers[each.command] ?? 1, stderr: answers[each.command] === 2 ? "torch-gradlint[lsp]" : "" });
  assert.deepEqual(await found(all, run({ "/b/gradlint": 0 })), { candidate: all[1], answer: "works" });
  assert.deepEqual(await found(all, run({ "/c/python": 2 })), { candidate: all[2], answer: "lacks the extra" });
  assert.deepEqual(await found(all, run({})), { candidate: all[0], answer: "is no gradlint" });
  assert.equal(await found([], run({})), undefined);
});

test("only torch-gradlint is ever offered", () => {
  const results = [undefined, { candidate: ofInterpreter("/a/python"), answer: "is no gradlint" as const }, { candidate: ofCommand("/a/gradlint"), answer: "is no gradlint" as const }, { candidate: ofInterpreter("/a/python"), answer: "lacks the extra" as const }];
  for (const result of results.slice(1)) {
    assert.match(complaint(result), /Install torch-gradlint\[lsp\]\.$/);
  }
  assert.match(complaint(results[0]), /needs Python/);
  assert.deepEqual(installation("/a/python"), ["/a/python", "-m", "pip", "install", "--upgrade", "torch-gradlint[lsp]"]);
});

test("modules of the workspace are not imported in place of installed ones", (t) => {
  const { command, args } = ofInterpreter("python3");
  const start = args[1]?.replace("from gradlint.cli import main; main(['server'])", "print(all(sys.path))");
  const done = spawnSync(command, ["-c", start ?? ""], { encoding: "utf-8" });
  if (done.error !== undefined) {
    t.skip("python3 is not installed");
    return;
  }
  assert.equal(done.stdout.trim(), "True", done.stderr);
});
