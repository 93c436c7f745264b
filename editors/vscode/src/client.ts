// The connection to the server.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import * as vscode from "vscode";
import { LanguageClient, RevealOutputChannelOn, type LanguageClientOptions } from "vscode-languageclient/node";
import { candidates, found, type Candidate, type Found, type Outcome } from "./command";
import { selectedInterpreter } from "./python";
import { readSettings, serverSettings, type Places, type Settings } from "./settings";

const SELECTOR = [
  { scheme: "file", language: "python" },
  { scheme: "untitled", language: "python" },
  { scheme: "vscode-notebook-cell", language: "python" },
];
const PATIENCE = 30_000;

export function currentSettings(): Settings {
  const configuration = vscode.workspace.getConfiguration("gradlint");
  return readSettings((section, fallback) => configuration.get(section, fallback));
}

function places(): Places {
  return { workspaceFolder: vscode.workspace.workspaceFolders?.[0]?.uri.fsPath, userHome: homedir(), env: process.env };
}

/** The program to start, tried. */
export async function find(settings: Settings, output: vscode.LogOutputChannel): Promise<Found | undefined> {
  const all = candidates(settings, {
    places: places(),
    trusted: vscode.workspace.isTrusted,
    selected: vscode.workspace.isTrusted ? await selectedInterpreter(vscode.workspace.workspaceFolders?.[0]?.uri) : undefined,
    exists: existsSync,
    platform: process.platform,
  });
  return found(all, async (candidate) => {
    const outcome = await tried(candidate);
    output.info(`${candidate.command}: ${outcome.status === 0 ? "works" : outcome.stderr.trim() || `status ${outcome.status}`}`);
    return outcome;
  });
}

function tried({ command, args }: Candidate): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: homedir(), timeout: PATIENCE }, (error, _, stderr) => {
      const status = error === null ? 0 : typeof error.code === "number" ? error.code : null;
      resolve({ status, stderr: stderr || (error?.message ?? "") });
    });
    child.stdin?.on("error", () => undefined);
    child.stdin?.end();
  });
}

export function newClient({ command, args }: Candidate, output: vscode.LogOutputChannel): LanguageClient {
  const cwd = places().workspaceFolder;
  const options: LanguageClientOptions = {
    documentSelector: SELECTOR,
    outputChannel: output,
    revealOutputChannelOn: RevealOutputChannelOn.Never,
    initializationOptions: serverSettings(currentSettings(), places()),
    middleware: {
      workspace: {
        configuration: (params) => params.items.map((each) => (each.section === "gradlint" ? serverSettings(currentSettings(), places()) : null)),
      },
      provideWorkspaceDiagnostics: (ids, token, reporter, next) =>
        currentSettings().checkWorkspace ? next(ids, token, reporter) : { items: [] },
    },
  };
  return new LanguageClient("gradlint", "gradlint", { command, args, options: cwd !== undefined ? { cwd } : {} }, options);
}
