// The page that shows a timeline. It runs one script of the extension, loads nothing else, and shows the SVG of the server.

export interface Sources {
  csp: string;
  script: string;
  style: string;
  nonce: string;
}

export function page({ csp, script, style, nonce }: Sources): string {
  const policy = `default-src 'none'; style-src ${csp} 'nonce-${nonce}'; script-src 'nonce-${nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${style}">
<title>Timeline</title>
</head>
<body>
<p id="note" role="status">Place the cursor in a training loop.</p>
<main id="timeline"></main>
<script nonce="${nonce}" src="${script}"></script>
</body>
</html>
`;
}

/** What the page sends once it can show something. What was sent to it before is lost. */
export const READY = "ready";

/** What the extension sends to the page. */
export interface Shown {
  svg: string | null;
  note: string;
}
