// Starts the server, and connects what the user sees to it.

import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { currentSettings, find, newClient } from "./client";
import { activeDocument } from "./documents";
import { fixAll, fixOnSave } from "./fixes";
import { offer } from "./install";
import { whenInterpreterChanges } from "./python";
import { needsRestart } from "./settings";
import { statusItem } from "./statusItem";
import { Timeline } from "./timeline";

/** Sends a request to the server. The answer is undefined if there is no server, or it does not know the request. */
export type Ask = <T>(method: string, params: unknown) => Promise<T | null | undefined>;

let running: Running | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const output = vscode.window.createOutputChannel("gradlint", { log: true });
  const server = new Running(output);
  running = server;
  const status = statusItem(server.ask);
  const timeline = new Timeline(server.ask, context.extensionUri);
  server.onStart = () => {
    status.refresh();
    timeline.follow();
  };
  let settings = currentSettings();
  const command = (name: string, run: () => unknown) => vscode.commands.registerCommand(`gradlint.${name}`, run);
  context.subscriptions.push(
    output,
    status.disposable,
    timeline,
    command("fixAll", () => fixAll(activeDocument())),
    command("showTimeline", () => timeline.show()),
    command("restart", () => server.restart()),
    command("showOutput", () => output.show()),
    command("showDebugInformation", () => server.showDebugInformation()),
    fixOnSave(() => currentSettings().fixOnSave),
    vscode.workspace.onDidGrantWorkspaceTrust(() => server.restart()),
    vscode.workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("gradlint")) {
        const before = settings;
        settings = currentSettings();
        if (needsRestart(before, settings)) {
          void server.restart();
        }
      }
    }),
  );
  await server.restart();
  const listener = await whenInterpreterChanges(() => void server.restart());
  if (listener !== undefined) {
    context.subscriptions.push(listener);
  }
}

export async function deactivate(): Promise<void> {
  await running?.stop();
}

/** The server as it comes and goes. */
class Running {
  onStart: () => void = () => undefined;
  private client: LanguageClient | undefined;
  private turn: Promise<void> = Promise.resolve();

  constructor(private readonly output: vscode.LogOutputChannel) {}

  readonly ask: Ask = async <T>(method: string, params: unknown): Promise<T | null | undefined> => {
    const client = this.client;
    if (client === undefined || !client.isRunning()) {
      return undefined;
    }
    try {
      return await client.sendRequest<T>(method, params);
    } catch (error) {
      this.output.debug(`${method}: ${String(error)}`);
      return undefined;
    }
  };

  /** Starts the server anew, after whatever start is still under way. */
  restart(): Promise<void> {
    this.turn = this.turn.then(() => this.replace()).catch((error: unknown) => this.output.error(String(error)));
    return this.turn;
  }

  async stop(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    await client?.dispose();
  }

  async showDebugInformation(): Promise<void> {
    await this.turn;
    const request = { command: "gradlint.debugInformation", arguments: [] };
    const content = await this.ask<string>("workspace/executeCommand", request);
    const editor = `VS Code ${vscode.version}`;
    const document = await vscode.workspace.openTextDocument({ content: `${content ?? "The server is not running."}\n${editor}\n` });
    await vscode.window.showTextDocument(document);
  }

  private async replace(): Promise<void> {
    await this.stop();
    const settings = currentSettings();
    if (!settings.enable) {
      this.onStart();
      return;
    }
    const result = await find(settings, this.output);
    if (result?.answer !== "works") {
      void offer(result).then((installed) => (installed ? this.restart() : undefined));
      this.onStart();
      return;
    }
    this.output.info(`starting ${result.candidate.command}`);
    this.client = newClient(result.candidate, this.output);
    await this.client.start();
    this.onStart();
  }
}
