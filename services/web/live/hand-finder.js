// The worker that finds hands: one for all screens, started when a camera first is.

/** @typedef {{seq: number, points: Float32Array|null, side: "left"|"right"|null, width: number, height: number, ms: number}} Found */

let finder = null;

/** Start the worker, or return the one that runs. */
export function handFinder() {
  finder ??= new HandFinder();
  return finder;
}

class HandFinder {
  #worker = new Worker("/page/live/worker.js", { type: "module" });
  #waiting = new Map();
  #seq = 0;
  #lastMs = 0;

  constructor() {
    this.ready = new Promise((resolve, reject) => {
      this.#worker.onmessage = ({ data }) => {
        if (data.type === "ready") resolve();
        else if (data.type === "hand") this.#answer(data);
        else this.#fail(data.message, reject);
      };
      this.#worker.onerror = (event) => this.#fail(event.message || "its script could not be loaded", reject);
    });
    this.ready.catch(() => {});
  }

  /**
   * Find the hand in a frame.
   *
   * @param {ImageBitmap} bitmap is handed over
   * @returns {Promise<Found>}
   */
  find(bitmap) {
    const seq = ++this.#seq;
    this.#lastMs = Math.max(this.#lastMs + 1, performance.now()); // times must grow
    this.#worker.postMessage({ seq, bitmap, atMs: this.#lastMs }, [bitmap]);
    return new Promise((resolve, reject) => this.#waiting.set(seq, { resolve, reject }));
  }

  #answer(found) {
    this.#waiting.get(found.seq)?.resolve(found);
    this.#waiting.delete(found.seq);
  }

  #fail(message, reject) {
    const error = new Error(message);
    reject(error);
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
    this.#worker.terminate();
    finder = null; // the next start tries anew
  }
}
