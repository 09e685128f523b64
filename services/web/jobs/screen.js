// Jobs: all of them, with filters; and one, with its log, files and failure.
import { call } from "../api.js";
import { jobCode, jobsCode } from "../code/jobs.js";
import { html, signal, useEffect } from "../html.js";
import { ago, duration } from "../numbers.js";
import { Advice, Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { Files, JobActions, JobError, JobProgress, Log, StateChip, titleOf, unitOf } from "./pieces.js";
import { useWatched } from "./watching.js";

const EVERY_MS = 2500;
const PAGE = 30;

const jobs = signal(null);
const cursor = signal(null);
const filter = signal({ state: "", kind: "" });
const problem = signal(null);

export function JobsScreen({ rest: [id] }) {
  return id ? html`<${OneJob} id=${id} key=${id} />` : html`<${AllJobs} />`;
}

function AllJobs() {
  useEffect(() => {
    look();
    const timer = setInterval(() => (jobs.value?.length ?? 0) <= PAGE && look(), EVERY_MS);
    return () => clearInterval(timer);
  }, [filter.value]);
  const choose = (name) => (event) => (filter.value = { ...filter.value, [name]: event.target.value });
  const options = (names) => html`<option value="">${text.jobs.all}</option>${Object.entries(names).map(([value, title]) => html`<option key=${value} value=${value}>${title}</option>`)}`;
  return html`<${Head} title=${text.jobs.title}>${text.jobs.lead}<//>
    <${ProblemNote} problem=${problem.value} />
    <div class="row wrap filters">
      <label class="inline">${text.jobs.state}<select value=${filter.value.state} onChange=${choose("state")}>${options(text.jobs.states)}</select></label>
      <label class="inline">${text.jobs.kind}<select value=${filter.value.kind} onChange=${choose("kind")}>${options(text.jobs.kinds)}</select></label>
    </div>
    <section class="card list">
      ${jobs.value?.length === 0 && html`<p class="muted">${filter.value.state || filter.value.kind ? text.jobs.none : text.jobs.noneYet}</p>`}
      ${jobs.value?.map((job) => html`<a key=${job.id} class="line" href="#/jobs/${job.id}">
        <${StateChip} state=${job.state} /><strong>${titleOf(job)}</strong>
        <span class="muted grow">${job.error?.message ?? summary(job)}</span><time class="muted small" datetime=${job.created_at}>${ago(job.created_at)}</time></a>`)}
      ${cursor.value && html`<button onClick=${() => look(cursor.value)}>${text.jobs.more}</button>`}
    </section>
    <${Code} ...${jobsCode(location.origin)} />`;
}

function OneJob({ id }) {
  const watched = useWatched(id);
  const job = watched.job.value;
  if (!job) return html`<${ProblemNote} problem=${watched.problem.value} />`;
  const took = job.started_at && job.finished_at && (new Date(job.finished_at) - new Date(job.started_at)) / 1000;
  return html`<p><a href="#/jobs">← ${text.jobs.title}</a></p>
    <${Head} title=${titleOf(job)} action=${html`<${StateChip} state=${job.state} />`}>
      ${text.jobs.facts(ago(job.created_at), job.attempt, took ? duration(took) : null)}<//>
    <${ProblemNote} problem=${watched.problem.value} />
    <${JobError} error=${job.error} />
    <section class="card">
      <${JobProgress} job=${job} progress=${watched.progress.value ?? job.progress} />
      <${JobActions} job=${job} onChange=${(changed) => (watched.job.value = changed)}
        onRetry=${(made) => (location.hash = `#/jobs/${made.id}`)} onProblem=${(error) => (watched.problem.value = error)} />
      ${job.kind === "training" && html`<p><a href="#/train/${job.id}">${text.jobs.curves}</a></p>`}
      ${job.kind === "tuning" && html`<p><a href="#/train/${job.id}">${text.jobs.trials}</a></p>`}
      ${job.kind === "evaluation" && html`<p><a href="#/evaluate/${job.id}">${text.jobs.findings}</a></p>`}
      ${job.depends_on.length > 0 && html`<p class="muted small">${text.jobs.needs} ${job.depends_on.map((needed) => html`<a key=${needed} href="#/jobs/${needed}">${needed.slice(0, 8)}</a> `)}</p>`}
      <${Files} job=${job} />
    </section>
    ${job.kind === "extraction" && html`<${Advice} advice=${job.result?.advice} />`}
    <${Log} lines=${watched.lines.value} />
    <details class="code"><summary>${text.jobs.asked}</summary><pre tabindex="0"><code>${JSON.stringify(job.request, null, 2)}</code></pre></details>
    ${job.result && html`<details class="code"><summary>${text.jobs.result}</summary><pre tabindex="0"><code>${JSON.stringify(job.result, null, 2)}</code></pre></details>`}
    <${Code} ...${jobCode(location.origin, id)} />`;
}

async function look(after) {
  try {
    const query = new URLSearchParams(Object.entries(filter.value).filter(([, value]) => value));
    query.set("limit", PAGE);
    if (after) query.set("cursor", after);
    const page = await call("GET", `/api/v1/jobs?${query}`);
    jobs.value = after ? [...jobs.value, ...page.items] : page.items;
    cursor.value = page.next_cursor;
    problem.value = null;
  } catch (error) {
    problem.value = error;
  }
}

function summary({ state, progress: { done, total, unit, note } }) {
  if (state === "succeeded") return total ? `${total} ${unitOf(unit)}` : note;
  return total ? `${done} / ${total} ${unitOf(unit)}` : note;
}
