// Models: their versions, what is known of each, and which one answers.
import { call, download, list, nReturns, once, request } from "../api.js";
import { promotionCode } from "../code/models.js";
import { datasetsOf } from "../evaluate/loading.js";
import { html, signal, useEffect, useState } from "../html.js";
import { accuracy, ago, bytes } from "../numbers.js";
import { Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { Card } from "./card.js";

const models = signal(null);
const answering = signal(null);
const history = signal([]);
const datasets = signal([]);
const problem = signal(null);
const refused = signal(null); // {model, detail}: what the gate said
const notice = signal("");

export function ModelsScreen({ rest: [id] }) {
  useEffect(() => {
    load();
  }, [id, nReturns.value]);
  const model = models.value?.find((found) => found.id === id);
  return html`${id && html`<p><a href="#/models">← ${text.models.title}</a></p>`}
    <${Head} title=${model ? text.models.number(model.number) : text.models.title}>${model ? model.version : text.models.lead}<//>
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    <div role="status">${notice.value && html`<p class="banner good">${notice.value} <a href="#/live">${text.models.tryLive}</a></p>`}</div>
    ${refused.value && html`<${Refused} ...${refused.value} />`}
    ${model ? html`<${OneModel} model=${model} />` : !id && html`<${AllModels} />`}
    <${Code} ...${promotionCode(location.origin, model?.id ?? "MODEL_ID", model?.number ?? 1)} />`;
}

function AllModels() {
  return html`${answering.value && html`<section class="card"><div class="row wrap"><p class="grow"><strong>${text.models.answers(answering.value.version)}</strong>
      <span class="muted"> · ${text.system.sources[answering.value.source]}</span></p>
      ${history.value.length > 1 && html`<button onClick=${rollback}>${text.models.rollback}</button>`}</div></section>`}
    <section class="card list">
      ${models.value?.length === 0 && html`<p>${text.models.none} <a href="#/train">${text.screens.train}</a></p>`}
      ${models.value?.map((model) => html`<div key=${model.id} class="line">
        <strong><a href="#/models/${model.id}">${text.models.number(model.number)}</a></strong>
        ${model.aliases.map((alias) => html`<span key=${alias} class="state ${alias === "production" ? "succeeded" : ""}">${text.models.aliases[alias]}</span>`)}
        <span class="muted grow">${text.models.summary(accuracy(model.metrics.val_accuracy), model.label_names.length)}</span>
        <span class="muted small">${ago(model.created_at)}</span>
        ${!model.aliases.includes("production") && html`<button onClick=${() => promote(model)}>${text.models.promote}</button>`}</div>`)}
    </section>
    ${history.value.length > 0 && html`<section class="card"><h2>${text.models.history}</h2><ol class="history">${history.value.map((entry) => html`<li key=${entry.revision}>
      <strong>${text.models.number(entry.number)}</strong> <span class="muted">${ago(entry.at)}, ${text.models.by(entry.by)}${entry.forced ? `, ${text.models.forced}` : ""}</span>
      <p class="muted small" lang=${entry.reason ? null : "en"}>${entry.reason || entry.gate}</p></li>`)}</ol></section>`}`;
}

function OneModel({ model }) {
  const [card, setCard] = useState("");
  const [taughtBy, setTaughtBy] = useState([]);
  useEffect(() => {
    // A training that is there no more tells nothing: the lineage stands without it.
    if (model.lineage.job_id) call("GET", `/api/v1/jobs/${model.lineage.job_id}`).then(datasetsOf).then(setTaughtBy, () => {});
    request("GET", `/api/v1/models/${model.id}/card`).then(async (answer) => setCard(await answer.text()), (error) => (problem.value = error));
  }, [model.id]);
  const { lineage, metrics } = model;
  return html`<section class="card"><div class="row wrap">
      ${model.aliases.includes("production") ? html`<span class="state succeeded">${text.models.aliases.production}</span>` : html`<button class="primary" onClick=${() => promote(model)}>${text.models.promote}</button>`}
      <button onClick=${() => download(`/api/v1/models/${model.id}/file`, `model-${model.number}.pt`)}>${text.models.download(bytes(model.size_bytes))}</button>
      <button onClick=${() => submit("jobs", { kind: "export", model: { id: model.id } })}>${text.models.export}</button>
    </div>
    <dl class="facts">
      <div><dt>${text.models.letters}</dt><dd>${model.label_names.join(" ")}</dd></div>
      <div><dt>${text.models.validation}</dt><dd>${accuracy(model.metrics.val_accuracy)}</dd></div>
      <div><dt>${text.models.from}</dt><dd>${lineage.job_id ? html`<a href="#/jobs/${lineage.job_id}">${text.models.sources[model.source]}</a>` : text.models.sources[model.source]}</dd></div>
      ${taughtBy.length > 0 && html`<div><dt>${text.models.taughtBy}</dt><dd>${taughtBy.map(({ id, name }) => html`<a key=${id} href="#/teach/${encodeURIComponent(name)}">${name}</a> `)}</dd></div>`}
      ${metrics.n_train && html`<div><dt>${text.models.rows}</dt><dd>${text.models.rowsOf(metrics.n_train, metrics.n_val, metrics.val_groups?.join(", "))}</dd></div>`}
      ${lineage.dataset_versions.length > 0 && html`<div><dt>${text.models.dataVersions}</dt><dd>${lineage.dataset_versions.map((digest) => html`<${Digest} key=${digest} of=${digest} />`)}</dd></div>`}
      <div><dt>${text.models.file}</dt><dd><${Digest} of=${model.sha256} /></dd></div>
      ${lineage.code_version && html`<div><dt>${text.models.codeVersion}</dt><dd>${lineage.code_version}</dd></div>`}
    </dl></section>
    <section class="card"><div class="row wrap"><h2 class="grow">${text.models.evaluations}</h2><${Evaluate} model=${model} /></div>
      ${model.evaluations.length === 0 ? html`<p class="muted">${text.models.notEvaluated}</p>` : html`<div class="scroll" tabindex="0" role="region" aria-label=${text.models.evaluations}><table>
        <thead><tr>${text.models.columns.map((title) => html`<th key=${title} scope="col">${title}</th>`)}</tr></thead>
        <tbody>${model.evaluations.map((one) => html`<tr key=${one.job_id}><td><a href="#/evaluate/${one.job_id}">${ago(one.created_at)}</a></td><td>${one.n_rows}</td>
          <td>${accuracy(one.accuracy)}</td><td>${accuracy(one.unseen_accuracy)}</td><td>${accuracy(one.macro_f1)}</td>
          <td>${one.worst_group == null ? "–" : `${accuracy(one.worst_group_accuracy)} (${one.worst_group || text.models.unknown})`}</td></tr>`)}</tbody></table></div>`}
    </section>
    ${card && html`<section class="card"><h2>${text.models.card}</h2><${Card} markdown=${card} /></section>`}`;
}

const Digest = ({ of: sha256 }) => html`<code title=${sha256}>${sha256.slice(0, 16)}…</code> `;

function Evaluate({ model }) {
  const [name, setName] = useState("");
  const usual = name || datasets.value[0]?.name;
  if (!usual) return null;
  return html`<label class="inline">${text.models.on}<select value=${usual} onChange=${({ target }) => setName(target.value)}>
      ${datasets.value.map((found) => html`<option key=${found.name} value=${found.name}>${found.name}</option>`)}</select></label>
    <button onClick=${() => submit("evaluate", { kind: "evaluation", model: { id: model.id }, data: [{ dataset: usual }] })}>${text.models.evaluate}</button>`;
}

/** The gate's no, and the way past it, which needs a reason. */
function Refused({ model, detail, hint }) {
  const [reason, setReason] = useState("");
  const force = (event) => {
    event.preventDefault();
    promote(model, reason);
  };
  return html`<section class="problem" role="alert"><form class="grow" onSubmit=${force}><strong>${text.models.refused(model.number)}</strong><p lang="en">${detail}</p><p lang="en">${hint}</p>
    <div class="row wrap"><input class="grow" aria-label=${text.models.reason} placeholder=${text.models.reason} value=${reason} maxlength="500" onInput=${({ target }) => setReason(target.value)} />
    <button class="danger" disabled=${!reason.trim()}>${text.models.force}</button><button type="button" class="quiet" onClick=${() => (refused.value = null)}>${text.close}</button></div></form></section>`;
}

async function promote(model, reason) {
  [problem.value, refused.value, notice.value] = [null, null, ""];
  try {
    const state = await request("GET", "/api/v1/models/aliases/production").catch((error) => {
      if (error.status !== 404) throw error;
    });
    const json = { model: model.id, ...(reason ? { force: true, reason } : {}) };
    await call("PUT", "/api/v1/models/aliases/production", { json, headers: { "If-Match": state?.headers.get("ETag") ?? '"0"' } });
    notice.value = text.models.promoted(model.number);
    await load();
  } catch (error) {
    if (error.code === "gate_refused") refused.value = { model, detail: error.detail, hint: error.hint };
    else problem.value = error;
  }
}

async function rollback() {
  [problem.value, notice.value] = [null, ""];
  try {
    const state = await call("POST", "/api/v1/models/aliases/production/rollback", { json: { reason: "" }, headers: once() });
    notice.value = text.models.promoted(state.number);
    await load();
  } catch (error) {
    problem.value = error;
  }
}

async function submit(screen, json) {
  try {
    location.hash = `#/${screen}/${(await call("POST", "/api/v1/jobs", { json, headers: once() })).id}`;
  } catch (error) {
    problem.value = error;
  }
}

async function load() {
  try {
    models.value = await list("/api/v1/models");
    answering.value = await call("GET", "/api/v1/asl/model");
    history.value = (await call("GET", "/api/v1/models/aliases/production/history")).items;
    datasets.value = (await list("/api/v1/datasets", 200)).filter(({ n_samples: n }) => n);
  } catch (error) {
    problem.value = error;
  }
}
