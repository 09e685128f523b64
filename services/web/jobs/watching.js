// A job as it happens: its state, the figures of its epochs, and its log.
import { call } from "../api.js";
import { watchJob } from "../events.js";
import { signal, useEffect, useMemo } from "../html.js";

export const ENDED = new Set(["succeeded", "failed", "cancelled"]);
const LOOK_EVERY_MS = 2000;
const MAX_LINES = 500;

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
    this.#abort.abort();
  }

  #receive({ kind, data, at }) {
    if (kind === "state") this.look();
    if (kind === "log") this.lines.value = [...this.lines.peek(), { at, text: data.text }].slice(-MAX_LINES);
    if (kind !== "progress") return;
    this.progress.value = data;
    if (data.trial) this.#keep(data.trial);
    if (data.epoch == null) return;
    // A training that went on after a fault tells its last epochs once more: the newest figures count.
    const kept = this.epochs.peek().filter((epoch) => epoch.epoch < data.epoch);
    this.epochs.value = [...kept, data];
  }

  #keep(trial) {
    const others = this.trials.peek().filter(({ number }) => number !== trial.number);
    this.trials.value = [...others, trial].sort((one, other) => one.number - other.number);
  }
}

/** Watch a job while a component is mounted. */
export function useWatched(id) {
  const watched = useMemo(() => new Watched(id), [id]);
  useEffect(() => () => watched.close(), [watched]);
  return watched;
}
