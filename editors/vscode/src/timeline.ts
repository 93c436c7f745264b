// The view beside the code with the timeline of the loop at the cursor. It follows the cursor and the text.

import { randomBytes } from "node:crypto";
import * as vscode from "vscode";
import { activeDocument, delayed } from "./documents";
import type { Ask } from "./extension";
import { page, READY, type Shown } from "./page";

const DELAY = 150;

interface Answer extends Shown {
  function?: string;
}

export class Timeline implements vscode.Disposable {
  private panel: vscode.WebviewPanel | undefined;
  private asked = 0;
  private shown: Shown | undefined;
  private readonly refreshed = delayed(() => void this.refresh(), DELAY);
  private readonly listeners: vscode.Disposable;

  constructor(
    private readonly ask: Ask,
    private readonly home: vscode.Uri,
  ) {
    const follow = () => this.follow();
    this.listeners = vscode.Disposable.from(
      vscode.window.onDidChangeTextEditorSelection(follow),
      vscode.window.onDidChangeActiveTextEditor(follow),
      vscode.window.onDidChangeNotebookEditorSelection(follow),
      vscode.workspace.onDidChangeTextDocument(follow),
    );
  }

  /** Draws anew what may have changed, if the view is visible. */
  follow(): void {
    if (this.panel?.visible === true) {
      this.refreshed.soon();
    }
  }

  /** Opens the view, or shows it again. */
  show(): void {
    if (this.panel === undefined) {
      const panel = vscode.window.createWebviewPanel(
        "gradlint.timeline",
        "Timeline",
        { viewColumn: vscode.ViewColumn.Beside, preserveFocus: true },
        { enableScripts: true, retainContextWhenHidden: true, localResourceRoots: [this.resource("media"), this.resource("out")] },
      );
      panel.iconPath = this.resource("media", "icon.png");
      const { webview } = panel;
      webview.html = page({
        csp: webview.cspSource,
        script: webview.asWebviewUri(this.resource("out", "view.js")).toString(),
        style: webview.asWebviewUri(this.resource("media", "timeline.css")).toString(),
        nonce: randomBytes(16).toString("hex"),
      });
      webview.onDidReceiveMessage((message) => {
        if (message === READY && this.shown !== undefined) {
          void webview.postMessage(this.shown);
        }
      });
      panel.onDidDispose(() => {
        this.panel = undefined;
      });
      panel.onDidChangeViewState(() => this.refreshed.soon());
      this.panel = panel;
    } else {
      this.panel.reveal(undefined, true);
    }
    this.refreshed.soon();
  }

  dispose(): void {
    this.refreshed.cancel();
    this.listeners.dispose();
    this.panel?.dispose();
  }

  private resource(...path: string[]): vscode.Uri {
    return vscode.Uri.joinPath(this.home, ...path);
  }

  private async refresh(): Promise<void> {
    const document = activeDocument();
    if (document === undefined || this.panel === undefined) {
      return;
    }
    const editor = vscode.window.visibleTextEditors.find((each) => each.document === document);
    const position = editor?.selection.active ?? new vscode.Position(0, 0);
    const number = ++this.asked;
    const answer = await this.ask<Answer>("gradlint/timeline", {
      textDocument: { uri: document.uri.toString() },
      position: { line: position.line, character: position.character },
    });
    if (number !== this.asked || this.panel === undefined) {
      return;
    }
    const { svg, note } = answer ?? { svg: null, note: "gradlint does not check this file, or its server is not running." };
    this.shown = { svg, note };
    this.panel.title = answer?.function !== undefined ? `Timeline: ${answer.function}` : "Timeline";
    await this.panel.webview.postMessage(this.shown);
  }
}
