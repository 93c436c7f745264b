// All fixes of a file, on request and when it is saved.

import * as vscode from "vscode";

const SCRIPT = "source.fixAll.gradlint";
const NOTEBOOK = "notebook.source.fixAll.gradlint";

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

/** Fixes a script before it is saved, if the settings say so. */
export function fixOnSave(enabled: () => boolean): vscode.Disposable {
  return vscode.workspace.onWillSaveTextDocument((event) => {
    const { document } = event;
    if (document.languageId === "python" && document.uri.scheme === "file" && enabled()) {
      event.waitUntil(allFixes(document).then((edit) => edit?.get(document.uri) ?? []));
    }
  });
}
