// The offer to install gradlint for the interpreter that lacks it.

import { homedir } from "node:os";
import * as vscode from "vscode";
import { complaint, installation, type Found } from "./command";
import { canSelectInterpreter } from "./python";

const INSTALL = "Install";
const SELECT = "Select Interpreter";
const SETTINGS = "Open Settings";

/** Says what is missing, and offers what can be done. Returns whether something was installed. */
export async function offer(result: Found | undefined): Promise<boolean> {
  const interpreter = result?.candidate.interpreter;
  const choices = [
    ...(interpreter !== undefined && vscode.workspace.isTrusted ? [INSTALL] : []),
    ...(canSelectInterpreter() ? [SELECT] : []),
    SETTINGS,
  ];
  const choice = await vscode.window.showWarningMessage(complaint(result), ...choices);
  if (choice === SELECT) {
    await vscode.commands.executeCommand("python.setInterpreter");
  } else if (choice === SETTINGS) {
    await vscode.commands.executeCommand("workbench.action.openSettings", "gradlint.");
  }
  return choice === INSTALL && interpreter !== undefined ? install(interpreter) : false;
}

/** Installs in a terminal, so that the user sees what happens, and outside of the workspace, whose modules pip would import. */
async function install(interpreter: string): Promise<boolean> {
  const [shellPath, ...shellArgs] = installation(interpreter) as [string, ...string[]];
  const execution = new vscode.ProcessExecution(shellPath, shellArgs, { cwd: homedir() });
  const task = new vscode.Task({ type: "process" }, vscode.TaskScope.Workspace, "install torch-gradlint[lsp]", "gradlint", execution);
  const done = new Promise<number | undefined>((resolve) => {
    const listener = vscode.tasks.onDidEndTaskProcess((event) => {
      if (event.execution.task.name === task.name && event.execution.task.source === task.source) {
        listener.dispose();
        resolve(event.exitCode);
      }
    });
  });
  await vscode.tasks.executeTask(task);
  if ((await done) === 0) {
    return true;
  }
  void vscode.window.showErrorMessage(`The installation failed; the terminal says why. In other environments: uv pip install --python ${interpreter} "torch-gradlint[lsp]"`);
  return false;
}
