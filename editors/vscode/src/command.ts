// Which program is the server: found among the settings, the selected interpreter and the PATH, and tried before it is used.

import { resolved, type Places, type Settings } from "./settings";

/** A program that may be the server. */
export interface Candidate {
  command: string;
  args: string[];
  /** Set if the program is a Python interpreter, which gradlint can be installed for. */
  interpreter?: string;
}

/** What came of running a candidate without any input. */
export interface Outcome {
  status: number | null;
  stderr: string;
}

export type Answer = "works" | "lacks the extra" | "is no gradlint";

export interface Found {
  candidate: Candidate;
  answer: Answer;
}

// `python -m gradlint` would import modules from the workspace in place of installed ones.
const START = "import sys; sys.path[:] = [each for each in sys.path if each]; from gradlint.cli import main; main(['server'])";

export function ofInterpreter(path: string): Candidate {
  return { command: path, args: ["-c", START], interpreter: path };
}

export function ofCommand(path: string): Candidate {
  return { command: path, args: ["server"] };
}

/** What the search depends on. `selected` is the interpreter of the Python extension. */
export interface World {
  places: Places;
  trusted: boolean;
  selected: string | undefined;
  exists: (path: string) => boolean;
  platform: string;
}

/**
 * The programs to try, in order. A program that the settings name stands alone, so that a mistake in them is not hidden by another
 * program that happens to work. In a workspace that is not trusted, the selected interpreter may be part of the workspace.
 */
export function candidates(settings: Settings, world: World): Candidate[] {
  const named = (paths: string[]) => paths.map((path) => resolved(path, world.places)).find(world.exists);
  const command = named(settings.path);
  if (command !== undefined) {
    return [ofCommand(command)];
  }
  const interpreter = named(settings.interpreter);
  if (interpreter !== undefined) {
    return [ofInterpreter(interpreter)];
  }
  const selected = world.trusted && world.selected !== undefined ? [ofInterpreter(world.selected)] : [];
  return [...selected, ...onPath("gradlint", world).map(ofCommand), ...["python3", "python"].flatMap((name) => onPath(name, world)).map(ofInterpreter)];
}

/** The first program of a name in the absolute folders of the PATH, outside of the workspace unless it is trusted. */
function onPath(name: string, world: World): string[] {
  const windows = world.platform === "win32";
  const { env, workspaceFolder } = world.places;
  const folders = (env["PATH"] ?? env["Path"] ?? "").split(windows ? ";" : ":");
  const safe = folders.filter(
    (each) => (windows ? /^[A-Za-z]:/.test(each) : each.startsWith("/")) && (world.trusted || !isWithin(each, workspaceFolder)),
  );
  const paths = safe.map((each) => (windows ? `${each}\\${name}.exe` : `${each}/${name}`));
  const found = paths.find(world.exists);
  return found !== undefined ? [found] : [];
}

function isWithin(path: string, folder: string | undefined): boolean {
  return folder !== undefined && (path === folder || path.startsWith(`${folder}/`) || path.startsWith(`${folder}\\`));
}

/** What a program is, by how it ended. The server ends with 0 without input; on PyPI, another `gradlint` has the same command. */
export function judged(outcome: Outcome): Answer {
  if (outcome.status === 0) {
    return "works";
  }
  return outcome.stderr.includes("torch-gradlint[lsp]") ? "lacks the extra" : "is no gradlint";
}

/** The first candidate that works, or else the first that only lacks the extra, or else the first one to install gradlint for. */
export async function found(all: Candidate[], run: (candidate: Candidate) => Promise<Outcome>): Promise<Found | undefined> {
  const tried: Found[] = [];
  for (const candidate of all) {
    const answer = judged(await run(candidate));
    if (answer === "works") {
      return { candidate, answer };
    }
    tried.push({ candidate, answer });
  }
  return (
    tried.find((each) => each.answer === "lacks the extra") ?? tried.find((each) => each.candidate.interpreter !== undefined) ?? tried[0]
  );
}

/** What to tell the user if nothing works. */
export function complaint(result: Found | undefined): string {
  if (result === undefined) {
    return "gradlint needs Python. Select an interpreter, or set `gradlint.interpreter`.";
  }
  const { candidate, answer } = result;
  if (answer === "lacks the extra") {
    return `gradlint in ${candidate.command} lacks its language server. Install torch-gradlint[lsp].`;
  }
  return candidate.interpreter !== undefined
    ? `gradlint is not installed for ${candidate.command}. Install torch-gradlint[lsp].`
    : `${candidate.command} is not the gradlint for PyTorch. Install torch-gradlint[lsp].`;
}

/** How to install gradlint for an interpreter. The name `gradlint` on PyPI belongs to an unrelated project. */
export function installation(interpreter: string): string[] {
  return [interpreter, "-m", "pip", "install", "--upgrade", "torch-gradlint[lsp]"];
}
