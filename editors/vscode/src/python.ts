// The interpreter that the user selected, as the Python extension knows it, if that is installed.

import * as vscode from "vscode";

interface Environments {
  getActiveEnvironmentPath(resource?: vscode.Uri): { path: string };
  resolveEnvironment(path: { path: string }): Promise<{ executable: { uri: vscode.Uri | undefined } } | undefined>;
  onDidChangeActiveEnvironmentPath: vscode.Event<unknown>;
}

async function environments(): Promise<Environments | undefined> {
  const extension = vscode.extensions.getExtension<{ environments: Environments }>("ms-python.python");
  try {
    return (await extension?.activate())?.environments;
  } catch {
    return undefined;
  }
}

export async function selectedInterpreter(resource: vscode.Uri | undefined): Promise<string | undefined> {
  const known = await environments();
  if (known === undefined) {
    return undefined;
  }
  const active = known.getActiveEnvironmentPath(resource);
  return (await known.resolveEnvironment(active))?.executable.uri?.fsPath;
}

export async function whenInterpreterChanges(listener: () => void): Promise<vscode.Disposable | undefined> {
  return (await environments())?.onDidChangeActiveEnvironmentPath(listener);
}

export function canSelectInterpreter(): boolean {
  return vscode.extensions.getExtension("ms-python.python") !== undefined;
}
