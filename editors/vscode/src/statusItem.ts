// The item of the status bar: the verdict on the file in the active editor.

import * as vscode from "vscode";
import { worded, type Verdict } from "./status";
import type { Ask } from "./extension";
import { activeDocument, delayed } from "./documents";

const DELAY = 300;

export function statusItem(ask: Ask): { disposable: vscode.Disposable; refresh: () => void } {
  const item = vscode.window.createStatusBarItem("gradlint.verdict", vscode.StatusBarAlignment.Right, 100);
  item.name = "gradlint";
  item.command = "gradlint.showTimeline";
  let asked = 0;

  const show = async () => {
    const document = activeDocument();
    const number = ++asked;
    const verdict = document !== undefined ? await ask<Verdict>("gradlint/verdict", { textDocument: { uri: document.uri.toString() } }) : undefined;
    if (number !== asked) {
      return;
    }
    const words = verdict != null ? worded(verdict) : undefined;
    if (words === undefined) {
      item.hide();
      return;
    }
    item.text = words.text;
    item.tooltip = new vscode.MarkdownString([...words.details, "Select to see the timeline of the loop at the cursor."].join("\n\n"));
    item.accessibilityInformation = { label: words.text.replace(/\$\([\w-]+\) /, "") };
    item.backgroundColor = words.alarming ? new vscode.ThemeColor("statusBarItem.warningBackground") : undefined;
    item.show();
  };
  const refresh = delayed(() => void show(), DELAY);
  const disposable = vscode.Disposable.from(
    item,
    { dispose: refresh.cancel },
    vscode.window.onDidChangeActiveTextEditor(refresh.soon),
    vscode.window.onDidChangeActiveNotebookEditor(refresh.soon),
    vscode.workspace.onDidChangeTextDocument((event) => {
      if (event.contentChanges.length > 0 && event.document === activeDocument()) {
        refresh.soon();
      }
    }),
    vscode.languages.onDidChangeDiagnostics((event) => {
      const shown = activeDocument()?.uri.toString();
      if (event.uris.some((uri) => uri.toString() === shown)) {
        refresh.soon();
      }
    }),
  );
  return { disposable, refresh: refresh.soon };
}
