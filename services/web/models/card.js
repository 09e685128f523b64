// A model card: the Markdown that the service writes, headings, lists and paragraphs, as a page.
import { html } from "../html.js";

/** @param {{markdown: string}} props */
export function Card({ markdown }) {
  return html`<div class="prose" lang="en">${blocks(markdown).map(({ kind, lines }, index) => {
    if (kind === "title") return html`<h3 key=${index}>${lines[0]}</h3>`;
    if (kind === "list") return html`<ul key=${index}>${lines.map((line) => html`<li key=${line}>${line}</li>`)}</ul>`;
    return html`<p key=${index}>${lines.join(" ")}</p>`;
  })}</div>`;
}

/** Neighbouring lines of one kind together; the card's own title is left out, for the page has it. */
export function blocks(markdown) {
  const found = [];
  let last = null;
  for (const line of markdown.split("\n")) {
    const [, mark, rest] = /^(#+ |[-*] |)(.*)$/.exec(line);
    const words = rest.trim().replace(/\\([\\`*_{}[\]()#+.!|<>-])/g, "$1");
    const kind = !words || mark === "# " ? null : mark.startsWith("#") ? "title" : mark ? "list" : "text";
    if (kind && kind !== "title" && kind === last) found.at(-1).lines.push(words);
    else if (kind) found.push({ kind, lines: [words] });
    last = kind;
  }
  return found;
}
