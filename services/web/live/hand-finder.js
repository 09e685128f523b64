// The workers that find hands: one for all cameras and one for all photographs, each started when first needed.
import { text } from "../text.js";

/** @typedef {{seq: number, points: Float32Array|null, side: "left"|"right"|null, width: number, height: number, ms: number}} Found */

const finders = new Map();

/**
 * Start a worker, or return the one that runs.
 *
 * @param {"VIDEO"|"IMAGE"} mode frames of one camera, in which a hand is followed, or pictures each by itself
 */
export function handFinder(mode) {
  if (!finders.has(mode)) finders.set(mode, new HandFinder(mode));
  return finders.get(mode);
}

class HandFinder {
  #worker;
  #waiting = new Map();
  #seq = 0;
  #lastMs = 0;

  constructor(mode) {
    this.mode = mode;
    this.#worker = new Worker("/page/live/worker.js", { type: "module", name: mode });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.type === "ready") resolve();
        else if (data.type === "hand") this.#answer(data.seq, data);
        else if (data.type === "passed") this.#answer(data.seq, null);
        else this.#fail(data.message, reject);
      };
      this.#worker.onerror = (event) => this.#fail(event.message || text.camera.noScript, reject);
    });
    this.ready.catch(() => {});
  }

  /**
   * Find the hand in a frame.
   *
   * @param {ImageBitmap} bitmap is handed over
   * @returns {Promise<Found|null>} null where a newer frame of the camera was there before it could be read
   */
  find(bitmap) {
    const seq = ++this.#seq;
    this.#lastMs = Math.max(this.#lastMs + 1, performance.now()); // times must grow
    this.#worker.postMessage({ seq, bitmap, atMs: this.#lastMs }, [bitmap]);
    return new Promise((resolve, reject) => this.#waiting.set(seq, { resolve, reject }));
  }

  #answer(seq, found) {
    this.#waiting.get(seq)?.resolve(found);
    this.#waiting.delete(seq);
  }

  #fail(message, reject) {
    const error = new Error(message);
    reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#worker.terminate();
    finders.delete(this.mode); // the next start tries anew
  }
}
