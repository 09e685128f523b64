// The photographs of a data set: looked at, given another letter, left out.
import { call } from "../api.js";
import { html, signal, useEffect, useState } from "../html.js";
import { Picture } from "../parts.js";
import { text } from "../text.js";

const PAGE = 60;
const LETTER = /^[a-z]$/i;

const samples = signal([]);
const cursor = signal(null);

/** @param {{dataset: string, label: string|null, signer: string, revision: number}} props `revision` grows when there are new ones */
export function Grid({ dataset, label, signer, revision, onChange, onProblem }) {
  const [state, setState] = useState("");
  const look = async (after) => {
    const query = new URLSearchParams({ limit: PAGE, ...(label && { label }), ...(signer && { signer }), ...(state && { state }), ...(after && { cursor: after }) });
    try {
      const page = await call("GET", `${base(dataset)}?${query}`);
      samples.value = after ? [...samples.value, ...page.items] : page.items;
      cursor.value = page.next_cursor;
    } catch (error) {
      onProblem(error);
    }
  };
  useEffect(() => {
    look();
  }, [dataset, label, signer, state, revision]);
  const change = async (sample, json) => {
    try {
      const changed = await call("PATCH", `${base(dataset)}/${sample.id}`, { json });
      samples.value = samples.value.map((one) => (one.id === sample.id ? changed : one));
      onChange();
    } catch (error) {
      onProblem(error);
    }
  };
  const onKey = (sample) => (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
    if (step) event.currentTarget.parentElement[step]?.querySelector("button").focus();
    else if (event.key === "Delete" || event.key === "-") change(sample, { excluded: sample.state !== "excluded" });
    else if (LETTER.test(event.key)) change(sample, { label: event.key.toUpperCase() });
    else return;
    event.preventDefault();
  };
  return html`<section class="card"><div class="row wrap"><h2 class="grow">${text.teach.photographs(label, signer)}</h2>
      <label class="inline">${text.teach.show}<select value=${state} onChange=${({ target }) => setState(target.value)}>
        ${Object.entries(text.teach.states).map(([value, title]) => html`<option key=${value} value=${value}>${title}</option>`)}</select></label></div>
    ${samples.value.length === 0 ? html`<p class="muted">${text.teach.noPhotographs}</p>` : html`<p class="muted small" id="grid-keys">${text.teach.keys}</p>`}
    <ul class="photos">${samples.value.map((sample) => html`<li key=${sample.id} class=${sample.state}>
      <button onKeyDown=${onKey(sample)} onClick=${() => change(sample, { excluded: sample.state !== "excluded" })} aria-describedby="grid-keys"
        aria-label=${text.teach.photograph(sample.label, sample.signer, text.teach.states[sample.state] ?? sample.state)}>
        <${Picture} path=${`${base(dataset)}/${sample.id}/image`} width="120" height="120" /><span>${sample.label}</span>
        ${["excluded", "no_hand", "unreadable"].includes(sample.state) && html`<em>${text.teach.states[sample.state]}</em>`}</button></li>`)}</ul>
    ${cursor.value && html`<button onClick=${() => look(cursor.value)}>${text.jobs.more}</button>`}</section>`;
}

const base = (dataset) => `/api/v1/datasets/${encodeURIComponent(dataset)}/samples`;
