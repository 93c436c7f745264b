// The settings of the editor, and what the server gets of them. Nothing here needs VS Code.

export interface Settings {
  enable: boolean;
  path: string[];
  interpreter: string[];
  configuration: string | null;
  select: string[] | null;
  extendSelect: string[] | null;
  ignore: string[] | null;
  unsafeFixes: boolean | null;
  fixOnSave: boolean;
  showSyntaxErrors: boolean;
  checkWorkspace: boolean;
}

/** Where the variables in paths lead. */
export interface Places {
  workspaceFolder: string | undefined;
  userHome: string;
  env: Record<string, string | undefined>;
}

/** What the server gets: only its own settings, and of those only the ones that are set. */
export interface ServerSettings {
  configuration?: string;
  select?: string[];
  extendSelect?: string[];
  ignore?: string[];
  unsafeFixes?: boolean;
  showSyntaxErrors: boolean;
}

export type Get = <T>(section: string, fallback: T) => T;

export function readSettings(get: Get): Settings {
  return {
    enable: get("enable", true),
    path: get("path", []),
    interpreter: get("interpreter", []),
    configuration: get("configuration", null),
    select: get("select", null),
    extendSelect: get("extendSelect", null),
    ignore: get("ignore", null),
    unsafeFixes: get("unsafeFixes", null),
    fixOnSave: get("fixOnSave", false),
    showSyntaxErrors: get("showSyntaxErrors", true),
    checkWorkspace: get("checkWorkspace", false),
  };
}

export function serverSettings(settings: Settings, places: Places): ServerSettings {
  const { configuration, select, extendSelect, ignore, unsafeFixes, showSyntaxErrors } = settings;
  return {
    ...(configuration ? { configuration: resolved(configuration, places) } : {}),
    ...(select !== null ? { select } : {}),
    ...(extendSelect !== null ? { extendSelect } : {}),
    ...(ignore !== null ? { ignore } : {}),
    ...(unsafeFixes !== null ? { unsafeFixes } : {}),
    showSyntaxErrors,
  };
}

/** Whether the change of one setting to another needs another process of the server. */
export function needsRestart(before: Settings, after: Settings): boolean {
  const of = (each: Settings) => JSON.stringify([each.enable, each.path, each.interpreter]);
  return of(before) !== of(after);
}

/** Replaces the variables in a path as VS Code does in tasks, and makes it absolute if there is a folder that it can be relative to. */
export function resolved(path: string, places: Places): string {
  const home = path === "~" || path.startsWith("~/") ? places.userHome + path.slice(1) : path;
  const full = home
    .replaceAll("${workspaceFolder}", places.workspaceFolder ?? "${workspaceFolder}")
    .replaceAll("${userHome}", places.userHome)
    .replace(/\$\{env:([^}]+)\}/g, (_, name: string) => places.env[name] ?? "");
  const absolute = full.startsWith("/") || full.startsWith("\\\\") || /^[A-Za-z]:[\\/]/.test(full);
  return absolute || places.workspaceFolder === undefined ? full : `${places.workspaceFolder}/${full}`;
}
