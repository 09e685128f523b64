// Evaluate: how well a model reads people, letter by letter; two side by side.
import { call, list, nReturns, once } from "../api.js";
import { evaluationCode } from "../code/evaluate.js";
import { html, signal, useEffect, useState } from "../html.js";
import { JobActions, JobError, JobProgress, StateChip } from "../jobs/pieces.js";
import { useWatched } from "../jobs/watching.js";
import { accuracy, ago, number } from "../numbers.js";
import { Advice, Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { headline, Letters, Reliability, Signers } from "./figures.js";
import { loadEvaluation } from "./loading.js";
import { Confusions } from "./matrix.js";

const N_LISTED = 30;

const evaluations = signal(null);
const models = signal([]);
const datasets = signal([]);
const problem = signal(null);

export function EvaluateScreen({ rest: [id, other] }) {
  useEffect(() => {
    problem.value = null;
    load();
  }, [id, other, nReturns.value]);
  return html`${id && html`<p><a href="#/evaluate">← ${text.evaluate.title}</a></p>`}
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    ${id ? html`<${Shown} key=${`${id}/${other}`} ids=${other ? [id, other] : [id]} />` : html`<${Overview} />`}`;
}

function Overview() {
  const all = evaluations.value;
  return html`<${Head} title=${text.evaluate.title}>${text.evaluate.lead}<//>
    <section class="card"><${Start} /></section>
    ${all && html`<section class="card list">${all.length === 0 && html`<p class="muted">${text.evaluate.none}</p>`}
      ${all.map((job) => html`<a key=${job.id} class="line" href="#/evaluate/${job.id}"><${StateChip} state=${job.state} /><strong>${modelTitle(job)}</strong>
        <span class="muted grow">${job.result ? text.evaluate.summary(accuracy(job.result.accuracy), job.result.n_rows) : job.error?.message}</span>
        <time class="muted small" datetime=${job.created_at}>${ago(job.created_at)}</time></a>`)}</section>`}
    <${Code} ...${evaluationCode(location.origin, models.value[0]?.id ?? "MODEL_ID", datasets.value[0]?.name ?? "NAME", "JOB_ID")} />`;
}

/** Which model on which data set; one button. */
function Start() {
  const [model, setModel] = useState("");
  const [dataset, setDataset] = useState("");
  const [byDefault, onDefault] = [models.value[0]?.id, datasets.value[0]?.name];
  if (!byDefault || !onDefault) return html`<p>${text.evaluate.needs} <a href="#/train">${text.screens.train}</a></p>`;
  const start = async () => {
    try {
      const json = { kind: "evaluation", model: { id: model || byDefault }, data: [{ dataset: dataset || onDefault }] };
      location.hash = `#/evaluate/${(await call("POST", "/api/v1/jobs", { json, headers: once() })).id}`;
    } catch (error) {
      problem.value = error;
    }
  };
  return html`<div class="row wrap"><label class="inline">${text.evaluate.model}<select value=${model || byDefault} onChange=${({ target }) => setModel(target.value)}>
      ${models.value.map(({ id, number }) => html`<option key=${id} value=${id}>${text.models.number(number)}</option>`)}</select></label>
    <label class="inline">${text.evaluate.on}<select value=${dataset || onDefault} onChange=${({ target }) => setDataset(target.value)}>
      ${datasets.value.map(({ name }) => html`<option key=${name} value=${name}>${name}</option>`)}</select></label>
    <button class="primary" onClick=${start}>${text.models.evaluate}</button></div>
    <p class="muted small">${text.evaluate.advice}</p>`;
}

/** One evaluation, or two beside each other. */
function Shown({ ids }) {
  const [loaded, setLoaded] = useState(null);
  const look = () => Promise.all(ids.map(loadEvaluation)).then(setLoaded, (error) => (problem.value = error));
  useEffect(() => {
    if (!loaded) look();
  }, [nReturns.value]);
  if (!loaded) return null;
  const unfinished = loaded.find(({ report }) => !report);
  if (unfinished) return html`<${Running} id=${unfinished.id} onDone=${look} />`;
  const [one, other] = loaded;
  return html`<${Head} title=${other ? text.evaluate.two(titleOf(one), titleOf(other)) : titleOf(one)}>${text.evaluate.rows(one.report.all_rows.n_rows, ago(one.job.created_at))}<//>
    <${Beside} id=${ids[0]} other=${ids[1]} />
    ${other ? html`<${Comparison} one=${one} other=${other} />` : html`<${Headline} report=${one.report} />`}
    <div class="columns even reports">${loaded.map((evaluation) => html`<div key=${evaluation.id} class=${other ? "" : "whole"}>
      ${other && html`<h2 class="which">${titleOf(evaluation)}</h2>`}
      <${Advice} advice=${evaluation.report.advice} />
      <${Confusions} evaluation=${evaluation} />
      <div class=${other ? "" : "columns even"}><${Signers} report=${evaluation.report} /><${Reliability} report=${evaluation.report} /></div>
      <${Letters} report=${evaluation.report} />
      <${Notices} report=${evaluation.report} /></div>`)}</div>
    <p><a href="#/jobs/${one.id}">${text.evaluate.files}</a> · <a href="#/models/${one.model.id}">${text.models.number(one.model.number)}</a></p>
    <${Code} ...${evaluationCode(location.origin, one.model.id, one.datasets[0]?.name ?? "NAME", one.id)} />`;
}

function Running({ id, onDone }) {
  const watched = useWatched(id);
  const job = watched.job.value;
  useEffect(() => {
    if (job?.state === "succeeded") onDone();
  }, [job?.state]);
  return html`<${Head} title=${text.jobs.kinds.evaluation} action=${job && html`<${StateChip} state=${job.state} />`}>${text.train.closable}<//>
    <${ProblemNote} problem=${watched.problem.value} />
    ${job && html`<section class="card"><${JobError} error=${job.error} />
      <${JobProgress} job=${job} progress=${watched.progress.value ?? job.progress} />
      <${JobActions} job=${job} onChange=${(changed) => (watched.job.value = changed)} onRetry=${(made) => (location.hash = `#/evaluate/${made.id}`)}
        onProblem=${(error) => (watched.problem.value = error)} /></section>`}`;
}

/** Which other evaluation stands beside this one. */
function Beside({ id, other }) {
  const others = (evaluations.value ?? []).filter((job) => job.id !== id && job.state === "succeeded");
  if (!others.length) return null;
  return html`<label class="inline">${text.evaluate.beside}<select value=${other ?? ""} onChange=${({ target }) => (location.hash = `#/evaluate/${id}${target.value && `/${target.value}`}`)}>
    <option value="">${text.evaluate.nothing}</option>
    ${others.map((job) => html`<option key=${job.id} value=${job.id}>${`${modelTitle(job)}, ${accuracy(job.result.accuracy)}, ${ago(job.created_at)}`}</option>`)}</select></label>`;
}

function Headline({ report }) {
  return html`<dl class="headline">${headline(report).filter(([, value]) => value != null).map(([name, value, write]) => html`<div key=${name}><dt>${name}</dt><dd>${write(value)}</dd></div>`)}</dl>`;
}

function Comparison({ one, other }) {
  const [before, after] = [headline(one.report), headline(other.report)];
  const f1Of = (report) => new Map(report.all_rows.letters.map(({ letter, f1 }) => [letter, f1]));
  const [f1Before, f1After] = [f1Of(one.report), f1Of(other.report)];
  const letters = [...f1Before.keys()].filter((letter) => f1After.has(letter)).map((letter) => [text.evaluate.f1(letter), f1Before.get(letter), f1After.get(letter), accuracy, true]);
  const most = letters.filter(([, was, is]) => was !== is).toSorted((a, b) => Math.abs(b[2] - b[1]) - Math.abs(a[2] - a[1])).slice(0, 6);
  const rows = [...before.map(([name, value, write, isMoreBetter], index) => [name, value, after[index][1], write, isMoreBetter]), ...most];
  const isSameData = one.job.result.data_digest === other.job.result.data_digest;
  return html`<section class="card">${!isSameData && html`<p class="banner warn">${text.evaluate.otherData}</p>`}
    <div class="scroll" tabindex="0" role="region" aria-label=${text.evaluate.comparison}><table><thead><tr><th scope="col">${text.evaluate.figure}</th><th scope="col">${titleOf(one)}</th><th scope="col">${titleOf(other)}</th><th scope="col">${text.evaluate.difference}</th></tr></thead>
      <tbody>${rows.map(([name, was, is, write, isMoreBetter]) => html`<tr key=${name}><th scope="row">${name}</th><td>${write(was)}</td><td>${write(is)}</td>
        <td class=${tone(was, is, isMoreBetter)}>${was == null || is == null ? "–" : `${is < was ? "−" : "+"}${number(100 * Math.abs(is - was), 1)}`}</td></tr>`)}</tbody></table></div></section>`;
}

function tone(was, is, isMoreBetter) {
  if (was == null || is == null || Math.abs(is - was) < 0.0005) return "";
  return is > was === isMoreBetter ? "better" : "worse";
}

function Notices({ report }) {
  return report.notices.length > 0 && html`<section class="card"><h2>${text.evaluate.notices}</h2>
    ${text.service && html`<p class="muted small">${text.service.says}</p>`}<ul class="notices">${report.notices.map((notice) => html`<li key=${notice} lang="en">${notice}</li>`)}</ul></section>`;
}

const titleOf = ({ model, datasets: on }) => text.evaluate.of(text.models.number(model.number), on.map(({ name }) => name).join(", "));

function modelTitle(job) {
  const model = models.value.find(({ id, lineage }) => id === job.request.model.id || (lineage.job_id && lineage.job_id === job.request.model.job));
  return job.name ?? (model ? text.models.number(model.number) : text.jobs.kinds.evaluation);
}

async function load() {
  try {
    models.value = await list("/api/v1/models");
    datasets.value = (await list("/api/v1/datasets", 200)).filter(({ n_samples: n }) => n);
    evaluations.value = (await call("GET", `/api/v1/jobs?kind=evaluation&limit=${N_LISTED}`)).items;
  } catch (error) {
    problem.value = error;
  }
}
