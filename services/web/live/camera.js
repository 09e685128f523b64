// The camera, frame by frame, with the hand that is in each.
import { handFinder } from "./hand-finder.js";

const ASKED = { video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } } };
const RATE_OVER_MS = 2000;
const MAX_AHEAD = 4; // frames handed over and not answered: more than a slow machine needs, few enough to hold

/**
 * Shows the camera in a video element and tells of every hand.
 *
 * Each frame is handed to the worker as it comes, which reads the newest that it has: there is always one to go on with,
 * whatever this page is busy with when the one before is done.
 */
export class HandCamera {
  #stream = null;
  #nAhead = 0;
  #times = [];

  /**
   * @param {HTMLVideoElement} video
   * @param {(found: object) => void} onFound called after each frame that was read
   * @param {(error: Error) => void} onProblem called once, when it cannot go on
   */
  constructor(video, onFound, onProblem) {
    Object.assign(this, { video, onFound, onProblem });
    this.nPassedOver = 0;
  }

  /** Frames read a second, lately. */
  get fps() {
    const now = performance.now();
    this.#times = this.#times.filter((time) => now - time < RATE_OVER_MS);
    return this.#times.length < 2 ? 0 : (1000 * (this.#times.length - 1)) / (this.#times.at(-1) - this.#times[0]);
  }

  /** Ask for the camera and begin; throws what `getUserMedia` does, or why hands cannot be found. */
  async start() {
    if (!navigator.mediaDevices) throw new DOMException("no camera here", "NotSupportedError");
    this.finder = handFinder("VIDEO"); // loads while the user is asked
    const stream = await navigator.mediaDevices.getUserMedia(ASKED);
    this.#stream = stream;
    stream.getVideoTracks()[0].onended = () => this.#stream && this.onProblem(new DOMException("", "NotReadableError"));
    this.video.srcObject = stream;
    await this.video.play();
    await this.finder.ready;
    this.#next();
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.video.srcObject = null;
  }

  #next() {
    const { video } = this;
    const goOn = () => this.#stream && this.#onFrame();
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(goOn);
    else requestAnimationFrame(goOn);
  }

  #onFrame() {
    this.#next();
    if (!this.video.videoWidth) return;
    if (this.#nAhead < MAX_AHEAD) this.#read().catch((error) => this.#fail(error));
    else this.nPassedOver += 1;
  }

  async #read() {
    this.#nAhead += 1;
    try {
      const found = await this.finder.find(await createImageBitmap(this.video));
      if (found) this.#tell(found);
      else this.nPassedOver += 1;
    } finally {
      this.#nAhead -= 1;
    }
  }

  #fail(error) {
    if (!this.#stream) return;
    this.stop(); // the frames that are still ahead fail, too: once is enough
    this.onProblem(error);
  }

  #tell(found) {
    if (!this.#stream) return;
    this.#times.push(performance.now());
    this.onFound(found);
  }
}
