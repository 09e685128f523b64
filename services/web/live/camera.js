// The camera, frame by frame, with the hand that is in each.
import { handFinder } from "./hand-finder.js";

const ASKED = { video: { facingMode: "user", width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } } };
const RATE_OVER_MS = 2000;

/**
 * Shows the camera in a video element and tells of every hand.
 *
 * One frame is read at a time. Of those that come meanwhile only the newest is read, at once after it: waiting for the
 * next would halve the rate wherever reading takes a little longer than a frame.
 */
export class HandCamera {
  #stream = null;
  #isBusy = false;
  #isNewer = false;
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
    if (this.#isBusy) {
      this.nPassedOver += this.#isNewer;
      this.#isNewer = true;
    } else this.#readAll().catch((error) => this.#stream && this.onProblem(error));
  }

  async #readAll() {
    this.#isBusy = true;
    try {
      let found = null;
      do {
        this.#isNewer = false;
        const next = this.finder.find(await createImageBitmap(this.video));
        if (found) this.#tell(found); // while the worker reads the next
        found = await next;
      } while (this.#isNewer && this.#stream);
      this.#tell(found);
    } finally {
      this.#isBusy = false;
    }
  }

  #tell(found) {
    if (!this.#stream) return;
    this.#times.push(performance.now());
    this.onFound(found);
  }
}
