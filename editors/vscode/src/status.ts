// What the status bar says about a file. Nothing here needs VS Code.

export interface Loop {
  answer: string;
  words: string;
  codes: string[];
  location: { uri: string; range: { start: { line: number } } } | null;
}

export interface Verdict {
  uri: string;
  version: number | null;
  answer: "verified" | "wrong" | "silenced" | "unknown" | "none";
  problem: string | null;
  loops: Loop[];
}

export interface Words {
  text: string;
  /** One line for each loop, in Markdown. */
  details: string[];
  alarming: boolean;
}

const ICONS = { verified: "pass", wrong: "error", silenced: "bell-slash", unknown: "question", none: "dash" };
const LONGEST = 160;

/** The words for a verdict, or undefined if there is nothing to say: the file has no training loop. */
export function worded(verdict: Verdict): Words | undefined {
  if (verdict.problem !== null) {
    return { text: "$(warning) gradlint: not checked", details: [escaped(verdict.problem)], alarming: false };
  }
  if (verdict.answer === "none") {
    return undefined;
  }
  const worst = verdict.loops.filter((each) => each.answer === verdict.answer).length;
  const count = verdict.loops.length === 1 ? "" : verdict.answer === "verified" ? ` (${worst} loops)` : ` (${worst} of ${verdict.loops.length} loops)`;
  return {
    text: `$(${ICONS[verdict.answer]}) gradlint: ${verdict.answer}${count}`,
    details: verdict.loops.map(line),
    alarming: verdict.answer === "wrong",
  };
}

function line(loop: Loop): string {
  const place = loop.location !== null ? `Line ${loop.location.range.start.line + 1}: ` : "";
  const words = loop.words.length > LONGEST ? `${loop.words.slice(0, LONGEST - 1)}…` : loop.words;
  return `${place}${escaped(words)}`;
}

/** Text as Markdown that shows it as it is. */
export function escaped(text: string): string {
  return text.replace(/[\\`*_{}[\]()#+\-.!|<>~&]/g, "\\$&").replaceAll("\n", " ");
}
