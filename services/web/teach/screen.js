// Teach: photographs for each letter, from the camera or from folders, looked through.
import { call, list, nReturns } from "../api.js";
import { datasetCode } from "../code/teach.js";
import { html, signal, useEffect, useState } from "../html.js";
import { Code, DropZone, Head, Meter, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { addFiles, filesOf } from "./adding.js";
import { Capture } from "./capture.js";
import { Grid } from "./grid.js";
import { hints } from "./hints.js";

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

const datasets = signal(null);
const dataset = signal(null);
const label = signal(null);
const signer = signal(localStorage.getItem("signer") ?? "");
const isOn = signal(false);
const upload = signal(null);
const revision = signal(0);
const problem = signal(null);

export function TeachScreen({ rest: [name] }) {
  useEffect(() => {
    problem.value = null;
    if (name) show(name);
    else loadAll();
    return () => (isOn.value = false);
  }, [name]);
  useEffect(() => {
    if (!nReturns.value) return;
    if (name) refresh(name);
    else loadAll();
  }, [nReturns.value]);
  return html`${name && html`<p><a href="#/teach">← ${text.teach.title}</a></p>`}
    <${Head} title=${name ?? text.teach.title}>${name ? text.teach.oneLead : text.teach.lead}<//>
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    ${name ? dataset.value && html`<${OneDataset} />` : html`<${AllDatasets} />`}
    <${Code} ...${datasetCode(location.origin, name ?? "NAME", label.value ?? "A")} />`;
}

function AllDatasets() {
  const [typed, setTyped] = useState("");
  const make = async (event) => {
    event.preventDefault();
    try {
      const made = await call("POST", "/api/v1/datasets", { json: { name: typed.trim() } });
      location.hash = `#/teach/${encodeURIComponent(made.name)}`;
    } catch (error) {
      problem.value = error;
    }
  };
  return html`<section class="card"><form onSubmit=${make}><label for="new"><strong>${text.teach.make}</strong></label>
      <div class="row under"><input id="new" class="grow" value=${typed} placeholder=${text.teach.name} maxlength="100" onInput=${({ target }) => setTyped(target.value)} />
      <button class="primary" disabled=${!typed.trim()}>${text.teach.makeIt}</button></div></form></section>
    ${datasets.value?.length === 0 && html`<section class="card"><h2>${text.teach.steps.title}</h2><ol class="steps">${text.teach.steps.all.map((step) => html`<li key=${step}>${step}</li>`)}</ol></section>`}
    ${datasets.value?.length > 0 && html`<section class="card list">${datasets.value.map(({ name, n_samples: n, counts }) => html`<a key=${name} class="line"
      href="#/teach/${encodeURIComponent(name)}"><strong>${name}</strong><span class="muted grow">${text.teach.summary(n, new Set(counts.map((c) => c.label)).size, new Set(counts.map((c) => c.signer)).size)}</span></a>`)}</section>`}`;
}

function OneDataset() {
  const found = dataset.value;
  const perLetter = Object.groupBy(found.counts, (count) => count.label);
  const total = (letter) => (perLetter[letter] ?? []).reduce((sum, count) => sum + count.n_samples, 0);
  const letters = [...new Set([...LETTERS, ...Object.keys(perLetter)])];
  const most = Math.max(1, ...letters.map(total));
  const changed = () => {
    revision.value += 1;
    refresh(found.name);
  };
  const setSigner = ({ target }) => {
    signer.value = target.value.trimStart();
    localStorage.setItem("signer", signer.value);
  };
  return html`<section class="card"><div class="row wrap"><h2 class="grow">${text.teach.letters}</h2>
      <label class="inline">${text.teach.signer}<input value=${signer.value} placeholder=${text.teach.signerName} maxlength="100" onInput=${setSigner} /></label></div>
      <div class="letters" role="group" aria-label=${text.teach.letters}>${letters.map((letter) => html`<button key=${letter} aria-pressed=${label.value === letter}
        onClick=${() => (label.value = label.value === letter ? null : letter)}>
        <strong>${letter}</strong>${" "}<small>${total(letter)}<span class="sr"> ${text.teach.unit}</span></small><span class="level" style=${{ transform: `scaleX(${total(letter) / most})` }}></span></button>`)}</div>
      <ul class="hints">${hints(found.counts).map((hint) => html`<li key=${hint}>${hint}</li>`)}</ul>
      <div class="row wrap">${found.n_samples > 0 && html`<a class="button" href="#/train/on/${encodeURIComponent(found.name)}">${text.teach.train}</a>`}</div>
    </section>
    <div class="columns even">
      ${isOn.value
        ? html`<section class="card"><${Capture} dataset=${found.name} label=${label.value} signer=${signer.value.trim()} onTaken=${changed}
            onProblem=${(error) => (problem.value = error)} onStop=${() => (isOn.value = false)} /></section>`
        : html`<section class="card"><h2>${text.teach.fromCamera}</h2><p class="muted">${text.teach.fromCameraLead}</p>
            <button class="primary big" onClick=${() => (isOn.value = true)}>${text.live.start}</button><p class="muted small">${text.teach.sent}</p></section>`}
      <section class="card"><h2>${text.teach.fromFiles}</h2><p class="muted">${text.teach.fromFilesLead}</p>
        <${DropZone} label=${text.teach.folder} isFolder=${true} multiple=${true} onFiles=${add}><span class="muted">${text.teach.drop}</span><//>
        <${DropZone} label=${text.teach.files} multiple=${true} accept="image/*,.zip,.tar,.tgz,.gz" onFiles=${add}><span class="muted">${text.teach.dropFiles(label.value)}</span><//>
        <${UploadState} /></section>
    </div>
    <${Grid} dataset=${found} label=${label.value} revision=${revision.value} onChange=${() => refresh(found.name)} onProblem=${(error) => (problem.value = error)} />`;
}

function UploadState() {
  const state = upload.value;
  if (!state) return null;
  return html`<div role="status"><${Meter} value=${state.done + state.underWay} total=${state.total || 1} label=${text.teach.fromFiles} />
    <p class="small" data-testid="upload">${text.teach.uploaded(state.nAdded, state.nThere, state.refused.length)}</p>
    ${state.refused.length > 0 && html`<details><summary>${text.teach.refusedFiles}</summary><ul class="small muted">${state.refused.slice(0, 50).map((one) => html`<li key=${one.name}>${one.name}: ${one.reason}</li>`)}</ul></details>`}</div>`;
}

async function add(source) {
  const { name } = dataset.value;
  const files = await filesOf(source);
  const state = await addFiles(name, files, { label: label.value, signer: signer.value.trim() }, (now) => (upload.value = now));
  upload.value = state;
  revision.value += 1;
  refresh(name);
}

async function show(name) {
  dataset.value = null;
  label.value = null;
  upload.value = null;
  await refresh(name);
}

async function refresh(name) {
  try {
    dataset.value = await call("GET", `/api/v1/datasets/${encodeURIComponent(name)}`);
  } catch (error) {
    problem.value = error;
  }
}

async function loadAll() {
  try {
    datasets.value = await list("/api/v1/datasets", 200);
  } catch (error) {
    problem.value = error;
  }
}
