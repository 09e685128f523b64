// Pieces that several screens show.
import { apiKey, isAway, request } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { percent } from "./numbers.js";
import { text } from "./text.js";

/** A problem of a call, or any other error, with what to do about it; in other languages by its code, and as it is told. */
export function ProblemNote({ problem, onClose }) {
  if (!problem || (problem.code === "unreachable" && !isAway.value)) return null;
  const detail = sentence(problem.detail ?? problem.message);
  const translated = text.service?.problems[problem.code];
  return html`<div class="problem" role="alert">
    <div><strong>${translated ?? detail}</strong>
      ${translated ? html`<p class="small">${text.service.says} <span lang="en">${detail} ${problem.hint}</span></p>` : problem.hint && html`<p>${problem.hint}</p>`}</div>
    ${onClose && html`<button class="quiet" aria-label=${text.close} onClick=${onClose}>×</button>`}
  </div>`;
}

/** Letters with bars, best first; the first is the answer. */
export function Bars({ alternatives }) {
  return html`<ol class="bars" aria-label=${text.live.alternatives}>
    ${alternatives.map(({ letter, confidence }) => html`<li key=${letter}>
      <span class="bar-letter">${letter}</span>
      <span class="track"><span class="fill" style=${{ transform: `scaleX(${confidence})` }}></span></span>
      <span class="figure">${percent(confidence)}</span>
    </li>`)}
  </ol>`;
}

/** How what was just done is done from code. */
export function Code({ curl, python, js }) {
  const all = { curl, Python: python, JavaScript: js };
  const [shown, setShown] = useState("curl");
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard.writeText(all[shown]);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<details class="code">
    <summary>${text.code.title}</summary>
    <div class="row" role="group" aria-label=${text.code.language}>
      ${Object.keys(all).map((name) => html`<button key=${name} class="chip" aria-pressed=${name === shown}
        onClick=${() => setShown(name)}>${name}</button>`)}
      <span class="grow"></span>
      <button class="quiet" onClick=${copy}>${isCopied ? text.copied : text.copy}</button>
    </div>
    <pre tabindex="0"><code>${all[shown]}</code></pre>
    ${apiKey.value && html`<p class="muted small">${text.code.key}</p>`}
  </details>`;
}

/** What was found, and what to do about it: `advice` of a job's result or of a report. */
export function Advice({ advice }) {
  if (!advice?.length) return null;
  return html`<section class="card"><h2>${text.advice.title}</h2><dl class="advices">${advice.map(({ code, found, remedy }) => html`<div key=${code + found}>
    <dt>${text.advice.codes[code] ?? code}</dt><dd><span lang="en">${found}</span>${adviceRemedy(code, remedy)}</dd></div>`)}</dl></section>`;
}

function adviceRemedy(code, remedy) {
  const translated = text.service?.remedies[code];
  return html`<p class="muted" lang=${translated ? null : "en"}>${translated ?? remedy}</p>`;
}

/** A heading with a line that says what the screen is for. */
export function Head({ title, children, action }) {
  return html`<header class="head"><div><h1>${title}</h1><p>${children}</p></div>${action}</header>`;
}

/** Takes files by click, by key and by dropping. */
export function DropZone({ accept, multiple, onFiles, children, label, isFolder }) {
  const input = useRef(null);
  const [isOver, setOver] = useState(false);
  const drop = (event) => {
    event.preventDefault();
    setOver(false);
    onFiles(event.dataTransfer);
  };
  return html`<div class="drop ${isOver ? "over" : ""}" onDragOver=${(event) => (event.preventDefault(), setOver(true))}
    onDragLeave=${() => setOver(false)} onDrop=${drop}>
    ${children}
    <input ref=${input} type="file" class="hidden" accept=${accept} multiple=${multiple} webkitdirectory=${isFolder}
      aria-label=${label} tabindex="-1"
      onChange=${(event) => (onFiles(event.target), (event.target.value = ""))} />
    <button onClick=${() => input.current.click()}>${label}</button>
  </div>`;
}

/** A picture of the API; one that needs a key is fetched with it. */
export function Picture({ path, alt = "", ...rest }) {
  const [url, setUrl] = useState(apiKey.value ? null : path);
  useEffect(() => {
    if (!apiKey.value) return undefined;
    let made = null;
    request("GET", path).then(async (answer) => setUrl((made = URL.createObjectURL(await answer.blob()))), () => {});
    return () => made && URL.revokeObjectURL(made);
  }, [path]);
  return html`<img src=${url} alt=${alt} loading="lazy" ...${rest} />`;
}

export function Meter({ value, total, label }) {
  return html`<progress value=${total ? value : null} max=${total || null} aria-label=${label}></progress>`;
}

export const sentence = (words = "") => words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
