// Train: choose a data set, press one button, and watch; or have the best options looked for first.
import { call, list, nReturns, once } from "../api.js";
import { jobCode } from "../code/jobs.js";
import { trainingCode } from "../code/train.js";
import { html, signal, useEffect, useState } from "../html.js";
import { Files, JobActions, JobError, JobProgress, Log, StateChip, titleOf } from "../jobs/pieces.js";
import { useWatched } from "../jobs/watching.js";
import { accuracy, ago, brief } from "../numbers.js";
import { Advice, Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { Curve, show } from "./curves.js";
import { Options } from "./options.js";
import { StartTuning, Tuning } from "./tuning.js";

const N_RECENT = 8;

const datasets = signal(null);
const recent = signal([]);
const chosen = signal("");
const options = signal({});
const isBusy = signal(false);
const problem = signal(null);

/** The address names a job, or "on" and a data set, or nothing. */
export function TrainScreen({ rest: [id, dataset] }) {
  return id && id !== "on" ? html`<${Watch} id=${id} key=${id} />` : html`<${Start} dataset=${dataset} />`;
}

function Watch({ id }) {
  const watched = useWatched(id);
  const job = watched.job.value;
  if (!job) return html`<${ProblemNote} problem=${watched.problem.value} />`;
  const Shown = job.kind === "tuning" ? Tuning : Training;
  return html`<${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    <${Shown} watched=${watched} isBusy=${isBusy.value} onSubmit=${submit} />`;
}

function Start({ dataset }) {
  useEffect(() => {
    if (dataset) chosen.value = dataset;
    load();
  }, [dataset, nReturns.value]);
  const found = datasets.value?.find(({ name }) => name === chosen.value);
  const body = { kind: "training", data: [{ dataset: chosen.value || "NAME" }], options: options.value };
  return html`<${Head} title=${text.train.title}>${text.train.lead}<//>
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    <section class="card">
      ${datasets.value?.length === 0
        ? html`<p>${text.train.none} <a href="#/teach">${text.screens.teach}</a></p>`
        : datasets.value && html`<div class="row wrap"><label class="inline grow">${text.train.dataset}
            <select value=${chosen.value} onChange=${({ target }) => (chosen.value = target.value)}>
              ${datasets.value?.map(({ name, n_samples: n }) => html`<option key=${name} value=${name}>${name} (${n})</option>`)}</select></label>
          <button class="primary big" disabled=${!found || isBusy.value} onClick=${() => submit({ ...body, name: found.name })}>${text.train.start}</button></div>`}
      ${found && html`<p class="muted small">${describe(found)}</p>`}
      <details><summary>${text.train.advanced(Object.keys(options.value).length)}</summary>
        <${Options} of="TrainingOptions" values=${options.value} onChange=${(changed) => (options.value = changed)} /></details>
      <${Code} ...${trainingCode(location.origin, body)} />
    </section>
    ${found && html`<${StartTuning} dataset=${found} options=${options.value} isBusy=${isBusy.value} onSubmit=${submit} />`}
    ${recent.value.length > 0 && html`<section class="card list"><h2>${text.train.recent}</h2>${recent.value.map((job) => html`<a key=${job.id} class="line"
      href="#/train/${job.id}"><${StateChip} state=${job.state} /><strong>${titleOf(job)}</strong>
      <span class="muted grow">${summary(job)}</span><span class="muted small">${ago(job.created_at)}</span></a>`)}</section>`}`;
}

function summary({ kind, result, progress }) {
  if (!result) return progress.note;
  return kind === "tuning" ? text.tuning.summary(result.n_trials, accuracy(result.mean_accuracy)) : text.train.best(accuracy(result.val_accuracy));
}

function Training({ watched }) {
  const job = watched.job.value;
  const epochs = watched.epochs.value;
  const last = epochs.at(-1);
  return html`<p><a href="#/train">← ${text.train.title}</a></p>
    <${Head} title=${titleOf(job)} action=${html`<${StateChip} state=${job.state} />`}>${text.train.closable}<//>
    <${ProblemNote} problem=${watched.problem.value} />
    <${JobError} error=${job.error} />
    <section class="card">
      ${job.state === "waiting" ? html`<${Before} ids=${job.depends_on} />` : html`<${JobProgress} job=${job} progress=${watched.progress.value ?? job.progress} />`}
      <${JobActions} job=${job} onChange=${(changed) => (watched.job.value = changed)}
        onRetry=${(made) => (location.hash = `#/train/${made.id}`)} onProblem=${(error) => (watched.problem.value = error)} />
      ${job.state === "succeeded" && html`<${Made} job=${job} />`}
    </section>
    ${last && html`<div class="columns even">
      <section class="card"><${Curve} epochs=${epochs} figure="accuracy" title=${text.train.accuracy} isShare=${true} /></section>
      <section class="card"><${Curve} epochs=${epochs} figure="loss" title=${text.train.loss} /></section></div>
      <p class="muted small figures-line" data-testid="epoch">${text.train.now(last.epoch, show(last.val_accuracy, true), last.learning_rate == null ? "–" : brief(last.learning_rate))} ${text.train.harder}</p>`}
    <${Advice} advice=${job.result?.advice} />
    <${Log} lines=${watched.lines.value} />
    <${Files} job=${job} isCard=${true} />
    <${Code} ...${jobCode(location.origin, job.id)} />`;
}

/** The extraction that a training waits for. */
function Before({ ids }) {
  return html`${ids.map((id) => html`<${Needed} key=${id} id=${id} />`)}`;
}

function Needed({ id }) {
  const watched = useWatched(id);
  const job = watched.job.value;
  return job && html`<div><h2><a href="#/jobs/${id}">${text.train.first(titleOf(job))}</a></h2>
    <${JobProgress} job=${job} progress=${watched.progress.value ?? job.progress} /><${JobError} error=${job.error} /></div>`;
}

function Made({ job }) {
  const { version, best_epoch: epoch, val_accuracy: share } = job.result;
  const [model, setModel] = useState(null);
  useEffect(() => {
    list("/api/v1/models").then((models) => setModel(models.find(({ lineage }) => lineage.job_id === job.id)), (error) => (problem.value = error));
  }, [job.id]);
  return html`<p class="banner good">${text.train.made(version, epoch, accuracy(share))} <a href="#/models/${model?.id ?? ""}">${text.train.toModel}</a></p>
    <p class="muted small">${text.train.honest}</p>`;
}

function describe({ counts }) {
  const signers = new Set(counts.map(({ signer }) => signer));
  const labels = new Set(counts.map(({ label }) => label));
  return text.train.describe(labels.size, signers.size);
}

async function load() {
  try {
    datasets.value = await list("/api/v1/datasets", 200);
    chosen.value ||= datasets.value.find(({ n_samples: n }) => n)?.name ?? "";
    const pages = await Promise.all(["training", "tuning"].map((kind) => call("GET", `/api/v1/jobs?kind=${kind}&limit=${N_RECENT}`)));
    recent.value = pages.flatMap(({ items }) => items).toSorted((one, other) => other.created_at.localeCompare(one.created_at)).slice(0, N_RECENT);
  } catch (error) {
    problem.value = error;
  }
}

async function submit(body) {
  [isBusy.value, problem.value] = [true, null];
  try {
    const job = await call("POST", "/api/v1/jobs", { json: body, headers: once() });
    location.hash = `#/train/${job.id}`;
  } catch (error) {
    problem.value = error;
  } finally {
    isBusy.value = false;
  }
}
