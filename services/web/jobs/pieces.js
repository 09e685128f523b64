// How a job is shown: its state, how far it is, its files, and what can be done with it.
import { call, download, once } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { bytes, duration, number } from "../numbers.js";
import { Meter, Picture, ProblemNote } from "../parts.js";
import { locale, text } from "../text.js";
import { ENDED } from "./watching.js";

const CHECKPOINT = /^checkpoint_/;

export function StateChip({ state }) {
  return html`<span class="state ${state}">${text.jobs.states[state]}</span>`;
}

/** What a job does, and its name where it has one. */
export const titleOf = ({ kind, name }) => [text.jobs.kinds[kind] ?? kind, name].filter(Boolean).join(" · ");

export const unitOf = (unit) => text.jobs.units[unit] ?? unit;

export function JobProgress({ job, progress = job.progress }) {
  if (job.state === "queued") return html`<p class="muted">${text.jobs.position(job.position)}</p>`;
  if (job.state === "waiting") return html`<p class="muted">${text.jobs.waits}</p>`;
  if (ENDED.has(job.state) && job.state !== "succeeded") return null;
  const { done, total, unit, rate_per_s: rate, eta_s: eta, note } = progress;
  const isOver = ENDED.has(job.state);
  const figures = [
    total ? `${done} / ${total} ${unitOf(unit)}` : note,
    !isOver && rate ? text.jobs.rate(number(rate, rate < 10 ? 1 : 0), unitOf(unit)) : null,
    !isOver && eta ? text.jobs.left(duration(eta)) : null,
  ];
  return html`<div class="progress"><${Meter} value=${isOver ? total : done} total=${total} label=${titleOf(job)} />
    <p class="muted small">${figures.filter(Boolean).join(" · ")}</p></div>`;
}

export function JobError({ error }) {
  return error && html`<${ProblemNote} problem=${{ code: error.code, detail: error.message, hint: error.hint }} />`;
}

/** Cancel or try again; `onRetry` gets the new job. */
export function JobActions({ job, onChange, onRetry, onProblem }) {
  const act = (path, then, headers) => async () => {
    try {
      then(await call("POST", `/api/v1/jobs/${job.id}/${path}`, { headers }));
    } catch (error) {
      onProblem(error);
    }
  };
  if (job.state === "succeeded") return null;
  return html`<div class="row actions">
    ${!ENDED.has(job.state) && html`<button disabled=${job.state === "cancelling"} onClick=${act("cancel", onChange)}>${text.jobs.cancel}</button>`}
    ${["failed", "cancelled"].includes(job.state) && html`<button onClick=${act("retry", onRetry, once())}>
      ${["training", "tuning"].includes(job.kind) ? text.jobs.resume : text.jobs.retry}</button>`}
  </div>`;
}

/** What a job has made; `isCard` where it stands by itself. */
export function Files({ job, isCard }) {
  const [files, setFiles] = useState([]);
  useEffect(() => {
    call("GET", `/api/v1/jobs/${job.id}/artifacts`).then(({ items }) => setFiles(items), () => setFiles([]));
  }, [job.id, job.state]);
  if (!files.length) return null;
  const path = (name) => `/api/v1/jobs/${job.id}/artifacts/${encodeURIComponent(name)}`;
  const list = (some) => html`<ul class="files">${some.map(({ name, size_bytes: size }) => html`<li key=${name}>
    <button class="quiet" onClick=${() => download(path(name), name)}>${name}</button><span class="muted small">${bytes(size)}</span></li>`)}</ul>`;
  const checkpoints = files.filter(({ name }) => CHECKPOINT.test(name));
  return html`<section class=${isCard ? "card" : ""}><h2>${text.jobs.files}</h2>${list(files.filter(({ name }) => !CHECKPOINT.test(name)))}
    ${checkpoints.length > 0 && html`<details><summary>${text.jobs.checkpoints(checkpoints.length)}</summary>${list(checkpoints)}</details>`}
    <div class="plots">${files.filter(({ media_type: type }) => type === "image/png").map(({ name }) => html`<${Picture} key=${name} path=${path(name)} alt=${name} />`)}</div></section>`;
}

export function Log({ lines }) {
  if (!lines.length) return null;
  const time = (at) => new Date(at).toLocaleTimeString(locale);
  return html`<details class="code"><summary>${text.jobs.log(lines.length)}</summary>
    <pre tabindex="0"><code>${lines.map((line) => `${time(line.at)}  ${line.text}`).join("\n")}</code></pre></details>`;
}
