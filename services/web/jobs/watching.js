// A job as it happens: its state, the figures of its epochs, and its log.
import { call } from "../api.js";
import { watchJob } from "../events.js";
import { batch, signal, useEffect, useMemo } from "../html.js";

export const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const LOOK_EVERY_MS = 2000;
const MAX_LINES = 500;
/** A job's past comes at once, thousands of events: the page is drawn anew for many together. */
const DRAW_EVERY_MS = 60;

class Watched {
  job = signal(null);
  problem = signal(null);
  /** `Progress` of each epoch, by its number, in order. */
  epochs = signal([]);
  progress = signal(null);
  /** `TuningTrial` of each trial that was told of, by its number, in order. */
  trials = signal([]);
  lines = signal([]);
  #abort = new AbortController();
  #arrived = [];

  constructor(id) {
    this.id = id;
    this.look();
    this.timer = setInterval(() => (this.job.value && ENDED.has(this.job.value.state) ? clearInterval(this.timer) : this.look()), LOOK_EVERY_MS);
    watchJob(id, (event) => this.#receive(event), this.#abort.signal);
  }

  async look() {
    try {
      this.job.value = await call("GET", `/api/v1/jobs/${this.id}`);
      this.problem.value = null;
    } catch (error) {
      this.problem.value = error;
    }
  }

  close() {
    clearInterval(this.timer);
    clearTimeout(this.drawing);
    this.#abort.abort();
  }

  #receive(event) {
    this.#arrived.push(event);
    this.drawing ??= setTimeout(() => this.#tell(), DRAW_EVERY_MS);
  }

  #tell() {
    const events = this.#arrived;
    [this.#arrived, this.drawing] = [[], undefined];
    const progress = events.filter(({ kind }) => kind === "progress").map(({ data }) => data);
    const lines = events.filter(({ kind }) => kind === "log").map(({ at, data }) => ({ at, text: data.text }));
    batch(() => {
      if (progress.length) this.progress.value = progress.at(-1);
      this.epochs.value = withEpochs(this.epochs.peek(), progress.filter(({ epoch }) => epoch != null));
      this.trials.value = withTrials(this.trials.peek(), progress.filter(({ trial }) => trial));
      if (lines.length) this.lines.value = [...this.lines.peek(), ...lines].slice(-MAX_LINES);
    });
    if (events.some(({ kind }) => kind === "state")) this.look();
  }
}

/** A training that went on after a fault tells its last epochs once more: the newest figures count. */
function withEpochs(epochs, told) {
  if (!told.length) return epochs;
  const kept = [...epochs];
  for (const figures of told) {
    while (kept.length && kept.at(-1).epoch >= figures.epoch) kept.pop();
    kept.push(figures);
  }
  return kept;
}

function withTrials(trials, told) {
  if (!told.length) return trials;
  const kept = new Map(trials.map((trial) => [trial.number, trial]));
  for (const { trial } of told) kept.set(trial.number, trial);
  return [...kept.values()].toSorted((one, other) => one.number - other.number);
}

/** Watch a job while a component is mounted. */
export function useWatched(id) {
  const watched = useMemo(() => new Watched(id), [id]);
  useEffect(() => () => watched.close(), [watched]);
  return watched;
}
