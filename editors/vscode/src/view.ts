// The script of the page that shows a timeline: it replaces the picture by the next one.

import { READY, type Shown } from "./page";

declare function acquireVsCodeApi(): { postMessage(message: unknown): void };

const ELEMENTS = new Set(["svg", "title", "desc", "style", "rect", "text", "tspan", "g", "circle", "path", "line"]);
const nonce = (document.currentScript as HTMLScriptElement).nonce ?? "";

window.addEventListener("message", (event: MessageEvent<Shown>) => {
  const { svg, note } = event.data;
  const timeline = document.getElementById("timeline");
  const words = document.getElementById("note");
  if (timeline === null || words === null) {
    return;
  }
  words.textContent = note;
  words.hidden = note === "";
  if (svg !== null) {
    timeline.replaceChildren(picture(svg));
  } else if (note !== "") {
    timeline.replaceChildren();
  }
});

acquireVsCodeApi().postMessage(READY);

/** The picture without anything but shapes and words, whatever a server sends. */
function picture(svg: string): Node {
  const root = new DOMParser().parseFromString(svg, "image/svg+xml").documentElement;
  for (const each of [root, ...root.querySelectorAll("*")]) {
    if (!ELEMENTS.has(each.localName)) {
      each.remove();
    }
    for (const attribute of [...each.attributes]) {
      if (attribute.name.startsWith("on") || attribute.localName === "href") {
        each.removeAttributeNode(attribute);
      }
    }
  }
  const own = document.importNode(root, true);
  for (const style of own.querySelectorAll("style")) {
    style.setAttribute("nonce", nonce);
  }
  return own;
}
