// All fixes of a file, on request and when it is saved.

import * as vscode from "vscode";

const SCRIPT = "source.fixAll.gradlint";
const NOTEBOOK = "notebook.source.fixAll.gradlint";
/** Milliseconds that a save waits for fixes. VS Code ignores what takes longer than 1.75 seconds. */
const LIMIT = 1200;

async function allFixes(document: vscode.TextDocument): Promise<vscode.WorkspaceEdit | undefined> {
  const kind = document.uri.scheme === "vscode-notebook-cell" ? NOTEBOOK : SCRIPT;
  const everything = new vscode.Range(0, 0, document.lineCount, 0);
  const actions = await vscode.commands.executeCommand<vscode.CodeAction[]>("vscode.executeCodeActionProvider", document.uri, everything, kind, 1);
  return actions.find((each) => each.kind?.value === kind)?.edit;
}

export async function fixAll(document: vscode.TextDocument | undefined): Promise<void> {
  const edit = document !== undefined ? await allFixes(document) : undefined;
  if (edit === undefined) {
    void vscode.window.setStatusBarMessage("gradlint: nothing to fix", 5000);
    return;
  }
  await vscode.workspace.applyEdit(edit);
}

/** Fixes a script when it is saved, if the settings say so. VS Code does not wait long: what comes late is saved a second time. */
export function fixOnSave(enabled: () => boolean): vscode.Disposable {
  const late = new Set<vscode.TextDocument>();
  const again = new Set<vscode.TextDocument>();
  return vscode.Disposable.from(
    vscode.workspace.onWillSaveTextDocument((event) => {
      const { document } = event;
      if (document.languageId !== "python" || document.uri.scheme !== "file" || again.delete(document) || !enabled()) {
        return;
      }
      late.add(document);
      const inTime = allFixes(document).then((edit) => {
        late.delete(document);
        return edit?.get(document.uri) ?? [];
      });
      const limit = new Promise<vscode.TextEdit[]>((resolve) => setTimeout(() => resolve([]), LIMIT));
      event.waitUntil(Promise.race([inTime, limit]));
    }),
    vscode.workspace.onDidSaveTextDocument(async (document) => {
      if (!late.delete(document)) {
        return;
      }
      const edit = await allFixes(document);
      if (edit !== undefined && (await vscode.workspace.applyEdit(edit))) {
        again.add(document);
        await document.save();
      }
    }),
  );
}
