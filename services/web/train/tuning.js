// Tuning: many short trainings, each judged on people whom it never saw, and the options of the best.
import { call, once } from "../api.js";
import { jobCode } from "../code/jobs.js";
import { tuningCode } from "../code/train.js";
import { html, signal, useMemo } from "../html.js";
import { Files, JobActions, JobError, JobProgress, Log, StateChip, titleOf } from "../jobs/pieces.js";
import { ENDED } from "../jobs/watching.js";
import { accuracy, brief, number } from "../numbers.js";
import { Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { axis, Chart, colour, WHOLE } from "./chart.js";
import { Options } from "./options.js";

const N_TRIALS = 12;
const N_EPOCHS = 30;
const LEAST_SIGNERS = 2;
const CHOSEN = new Set(["learning_rate", "dropout", "hidden_sizes"]);
const PLACES = { complete: 0, running: 1, pruned: 2 }; // in the table

const tuning = signal({ n_trials: N_TRIALS });

/** What starts a tuning on a data set, with what a training's options say of all trials. */
export function StartTuning({ dataset, options, isBusy, onSubmit }) {
  const signers = new Set(dataset.counts.map(({ signer }) => signer).filter(Boolean));
  const common = Object.fromEntries(Object.entries(options).filter(([name]) => !CHOSEN.has(name)));
  const body = { kind: "tuning", data: [{ dataset: dataset.name }], options: { epochs: N_EPOCHS, ...common }, tuning: tuning.value };
  const isPossible = signers.size >= LEAST_SIGNERS;
  return html`<section class="card"><h2>${text.tuning.title}</h2><p class="muted">${text.tuning.lead}</p>
    <div class="row wrap"><p class="muted small grow">${isPossible ? text.tuning.cost(body.tuning.n_trials, signers.size, body.options.epochs) : text.tuning.needsSigners}</p>
      <button disabled=${!isPossible || isBusy} onClick=${() => onSubmit({ ...body, name: dataset.name })}>${text.tuning.start}</button></div>
    <details><summary>${text.tuning.advanced}</summary>
      <${Options} of="TuningOptions" values=${tuning.value} onChange=${(changed) => (tuning.value = { n_trials: N_TRIALS, ...changed })} /></details>
    <${Code} ...${tuningCode(location.origin, body)} /></section>`;
}

/** A tuning as it goes on, and what it has found. */
export function Tuning({ watched, isBusy, onSubmit }) {
  const job = watched.job.value;
  const trials = watched.trials.value.length ? watched.trials.value : (job.result?.trials ?? []);
  const best = trials.filter(({ state }) => state === "complete").reduce((most, one) => (one.mean_accuracy > (most?.mean_accuracy ?? -1) ? one : most), null);
  const train = () => onSubmit({ kind: "training", name: job.name, data: job.request.data, train_only: job.request.train_only, options: job.result?.best_options ?? { ...job.request.options, ...settingsOf(best) } });
  return html`<p><a href="#/train">← ${text.train.title}</a></p>
    <${Head} title=${titleOf(job)} action=${html`<${StateChip} state=${job.state} />`}>${text.train.closable}<//>
    <${ProblemNote} problem=${watched.problem.value} />
    <${JobError} error=${job.error} />
    <section class="card"><${JobProgress} job=${job} progress=${watched.progress.value ?? job.progress} />
      <${JobActions} job=${job} onChange=${(changed) => (watched.job.value = changed)}
        onRetry=${(made) => (location.hash = `#/train/${made.id}`)} onProblem=${(error) => (watched.problem.value = error)} />
      ${best && html`<div class="row wrap winner" data-testid="best"><p class="grow"><strong>${text.tuning.best(accuracy(best.mean_accuracy), ENDED.has(job.state))}</strong><br />
        <span class="muted">${text.tuning.settings(written(best))} · ${text.tuning.worst(best.worst_group, accuracy(best.worst_accuracy))}</span></p>
        <button class="primary" disabled=${isBusy} onClick=${train}>${text.tuning.train}</button></div>`}
    </section>
    ${trials.length > 0 && html`<section class="card"><${History} trials=${trials} /></section><section class="card"><${Trials} trials=${trials} best=${best} /></section>`}
    <${Log} lines=${watched.lines.value} />
    <${Files} job=${job} isCard=${true} />
    <${Code} ...${jobCode(location.origin, job.id)} />`;
}

/** How well each trial did, and the best until then. */
function History({ trials }) {
  const data = useMemo(() => {
    const inOrder = trials.filter(({ state }) => state !== "running").toSorted((one, other) => one.number - other.number);
    let best = null;
    const bests = inOrder.map(({ state, mean_accuracy: mean }) => (best = state === "complete" ? Math.max(best ?? 0, mean) : best));
    const of = (wanted) => inOrder.map(({ state, mean_accuracy: mean }) => (state === wanted ? mean : null));
    return [inOrder.map(({ number }) => number), bests, of("complete"), of("pruned")];
  }, [trials]);
  const last = data[1].at(-1);
  return html`<${Chart} title=${text.tuning.history} said=${text.tuning.said(data[0].length, accuracy(last))} data=${data} options=${options} />`;
}

function options() {
  const points = (label, name, fill) => ({ label, stroke: colour(name), width: 0, paths: () => null, points: { show: true, size: 9, width: 2, fill: fill ? colour(name) : colour("--card") } });
  return {
    scales: { x: { time: false }, y: { range: (_, low, high) => [Math.max(0, (low ?? 0) - 0.05), Math.min(1, (high ?? 1) + 0.05)] } },
    axes: [{ ...axis(), incrs: WHOLE }, { ...axis(), size: 56, values: (_, found) => found.map((value) => `${number(100 * value)} %`) }],
    series: [{ label: text.tuning.trial }, { label: text.tuning.bestSoFar, stroke: colour("--edge"), width: 2, points: { show: false } },
      points(text.tuning.states.complete, "--accent", true), points(text.tuning.states.pruned, "--edge", false)],
    cursor: { show: false },
    legend: { live: false },
  };
}

/** The trials, the best first, those given up last. */
function Trials({ trials, best }) {
  const sorted = trials.toSorted((one, other) => PLACES[one.state] - PLACES[other.state] || other.mean_accuracy - one.mean_accuracy);
  return html`<div class="row wrap"><h2 class="grow">${text.tuning.trials}</h2></div><p class="muted small">${text.tuning.trialsLead}</p>
    <div class="scroll" tabindex="0" role="region" aria-label=${text.tuning.trials}><table class="trials">
    <thead><tr>${text.tuning.columns.map((title) => html`<th key=${title} scope="col">${title}</th>`)}</tr></thead>
    <tbody>${sorted.map((trial) => html`<tr key=${trial.number} class=${trial === best ? "best" : trial.state}><th scope="row">${trial.number}</th>
      <td><span class="shown"><span class="track"><span class="fill" style=${{ transform: `scaleX(${trial.mean_accuracy})` }}></span></span>${accuracy(trial.mean_accuracy)}</span></td>
      <td>${accuracy(trial.worst_accuracy)} <span class="muted">${trial.worst_group}</span></td>
      <td>${brief(trial.learning_rate)}</td><td>${brief(trial.dropout)}</td><td>${trial.hidden_sizes.join("-")}</td>
      <td class="muted">${text.tuning.states[trial.state]}</td></tr>`)}</tbody></table></div>`;
}

const written = ({ learning_rate: rate, dropout, hidden_sizes: sizes }) => ({ rate: brief(rate), dropout: brief(dropout), sizes: sizes.join("-") });

const settingsOf = (trial) => Object.fromEntries([...CHOSEN].map((name) => [name, trial[name]]));
