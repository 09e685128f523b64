// System: how each part is, which classifier answers, and the key.
import { apiKey, call, setApiKey, unreachable } from "./api.js";
import { stateCode } from "./code/system.js";
import { html, signal, useEffect, useState } from "./html.js";
import { Code, Head, ProblemNote } from "./parts.js";
import { text } from "./text.js";

const EVERY_MS = 3000;

const readiness = signal(null);
const classifier = signal(null);
const problem = signal(null);

export function SystemScreen() {
  useEffect(() => {
    look();
    const timer = setInterval(look, EVERY_MS);
    return () => clearInterval(timer);
  }, []);
  const ready = readiness.value;
  const checks = Object.entries(ready?.checks ?? {});
  return html`<${Head} title=${text.system.title}>${text.system.lead}<//>
    <${ProblemNote} problem=${problem.value} />
    ${ready && html`<p class="banner ${ready.status === "ready" ? "good" : "warn"}" role="status">${text.system.status[ready.status] ?? ready.detail}</p>`}
    <section class="card"><h2>${text.system.parts}</h2>
      <ul class="checks">${checks.map(([name, check]) => html`<li key=${name}>
        <span class="dot ${check.ok ? "good" : "bad"}" role="img" aria-label=${check.ok ? text.system.ok : text.system.missing}></span>
        <strong>${text.system.names[name] ?? name}</strong><span class="muted">${check.detail}</span></li>`)}</ul>
    </section>
    ${classifier.value && html`<section class="card"><h2>${text.system.classifier}</h2>
      <p><strong>${classifier.value.version}</strong> · ${text.system.sources[classifier.value.source] ?? classifier.value.source}</p>
      <p class="muted">${text.system.reads(classifier.value.label_names.join(" "))}</p></section>`}
    <section class="card"><${KeyForm} /></section>
    <${Code} ...${stateCode(location.origin)} />`;
}

/** Where a key is entered, which stays in this browser. */
export function KeyForm() {
  const [typed, setTyped] = useState(apiKey.value);
  const save = (event) => {
    event.preventDefault();
    setApiKey(typed);
  };
  return html`<form onSubmit=${save}>
    <label for="key"><strong>${text.system.key}</strong></label>
    <p class="muted small" id="key-hint">${text.system.keyHint}</p>
    <div class="row"><input id="key" type="password" autocomplete="off" class="grow" value=${typed} aria-describedby="key-hint"
      onInput=${(event) => setTyped(event.target.value)} /><button>${text.save}</button></div>
  </form>`;
}

async function look() {
  try {
    // 503 tells of the parts too: not an error here.
    const answer = await fetch("/readyz").catch(() => {
      throw unreachable();
    });
    readiness.value = await answer.json();
    classifier.value = await call("GET", "/api/v1/asl/model");
    problem.value = null;
  } catch (error) {
    problem.value = error;
    if (error.code === "unreachable") readiness.value = null; // what was so a while ago is not so now
  }
}
