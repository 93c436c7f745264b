// What both the status item and the timeline ask about the editor.

import * as vscode from "vscode";

/** The Python text that the user looks at: a script, or the cell of a notebook that is selected. */
export function activeDocument(): vscode.TextDocument | undefined {
  const text = vscode.window.activeTextEditor?.document;
  if (text?.languageId === "python") {
    return text;
  }
  const notebook = vscode.window.activeNotebookEditor;
  if (notebook === undefined) {
    return undefined;
  }
  const selected = notebook.selection.start < notebook.notebook.cellCount ? notebook.notebook.cellAt(notebook.selection.start).document : undefined;
  return selected?.languageId === "python" ? selected : notebook.notebook.getCells().find((cell) => cell.document.languageId === "python")?.document;
}

export interface Delayed {
  soon: () => void;
  cancel: () => void;
}

/** A function that runs once some time has passed without another call. */
export function delayed(run: () => void, milliseconds: number): Delayed {
  let timer: NodeJS.Timeout | undefined;
  const cancel = () => clearTimeout(timer);
  return {
    cancel,
    soon: () => {
      cancel();
      timer = setTimeout(run, milliseconds);
    },
  };
}
