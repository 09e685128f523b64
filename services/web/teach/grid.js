// The photographs of a data set, by letter, signer and what is known of them.
import { call } from "../api.js";
import { html, signal, useEffect, useState } from "../html.js";
import { text } from "../text.js";
import { Tiles } from "./tiles.js";

const PAGE = 60;

const samples = signal([]);
const cursor = signal(null);

/** @param {{dataset: object, label: string|null, revision: number}} props `revision` grows when there are new ones */
export function Grid({ dataset, label, revision, onChange, onProblem }) {
  const [state, setState] = useState("");
  const [signer, setSigner] = useState(null);
  const look = async (after) => {
    const query = new URLSearchParams({ limit: PAGE, ...(label && { label }), ...(signer !== null && { signer }), ...(state && { state }), ...(after && { cursor: after }) });
    try {
      const page = await call("GET", `/api/v1/datasets/${encodeURIComponent(dataset.name)}/samples?${query}`);
      samples.value = after ? [...samples.value, ...page.items] : page.items;
      cursor.value = page.next_cursor;
    } catch (error) {
      onProblem(error);
    }
  };
  useEffect(() => {
    look();
  }, [dataset.name, label, signer, state, revision]);
  const change = (changed) => {
    samples.value = samples.value.map((one) => (one.id === changed.id ? changed : one));
    onChange();
  };
  const signers = [...new Set(dataset.counts.map((count) => count.signer))].sort();
  return html`<section class="card"><div class="row wrap"><h2 class="grow">${text.teach.photographs(label)}</h2>
      <label class="inline">${text.teach.by}<select value=${signer === null ? "" : `=${signer}`} onChange=${({ target }) => setSigner(target.value ? target.value.slice(1) : null)}>
        <option value="">${text.teach.states[""]}</option>${signers.map((name) => html`<option key=${name} value=${`=${name}`}>${name || text.teach.nobody}</option>`)}</select></label>
      <label class="inline">${text.teach.show}<select value=${state} onChange=${({ target }) => setState(target.value)}>
        ${Object.entries(text.teach.states).map(([value, title]) => html`<option key=${value} value=${value}>${title}</option>`)}</select></label></div>
    ${samples.value.length === 0 && html`<p class="muted">${text.teach.noPhotographs}</p>`}
    <${Tiles} photographs=${samples.value.map((sample) => ({ dataset: dataset.name, sample }))} onChange=${change} onProblem=${onProblem} />
    ${cursor.value && html`<button onClick=${() => look(cursor.value)}>${text.jobs.more}</button>`}</section>`;
}
