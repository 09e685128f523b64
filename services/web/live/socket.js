// The live socket: hands out, letters in; connects again when the connection breaks.
import { apiKey, needsKey } from "../api.js";

const PATH = "/api/v1/asl/live";
const PROTOCOL = "asl.live.v1";
const FRAME_BYTES = 264;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const LONGEST_PAUSE_LOST_MS = 2000; // where the service has not said that it has too much to do
const NO_KEY = 4401;
const FINAL = new Set([1000, 4400, NO_KEY, 4403]);
const OVERLOADED = new Set([1013, 4429]);
const MAX_UNANSWERED = 64;

export class LiveSocket {
  #socket = null;
  #sentAt = new Map();
  #seq = 0;
  #pauseMs = FIRST_PAUSE_MS;
  #isOver = false;
  #options = {};

  /**
   * @param {(message: object, roundTripMs: number|null) => void} onMessage called with each message of the protocol
   * @param {(state: "open"|"waiting"|"closed", code: number) => void} onState
   */
  constructor(onMessage, onState) {
    Object.assign(this, { onMessage, onState });
    this.#connect();
  }

  /** Send what was found in a frame; what does not get away at once is left out, for a newer one follows. */
  send({ points, side, width, height }) {
    if (this.#socket?.readyState !== WebSocket.OPEN || this.#sentAt.size > MAX_UNANSWERED) return;
    const seq = (this.#seq = (this.#seq + 1) >>> 0);
    this.#sentAt.set(seq, performance.now());
    this.#socket.send(points ? frame(seq, points, side, width, height) : JSON.stringify({ type: "no_hand", seq }));
  }

  /** Tell how frames are to be answered from here on, in this connection and in those that take its place. */
  setOptions(options) {
    this.#options = { ...this.#options, ...options };
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ type: "options", ...options }));
  }

  close() {
    this.#isOver = true;
    this.#socket?.close(1000);
  }

  #connect() {
    const protocols = apiKey.value ? [PROTOCOL, `asl.key.${apiKey.value}`] : [PROTOCOL];
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${PATH}`, protocols);
    this.#socket = socket;
    socket.onopen = () => {
      this.#pauseMs = FIRST_PAUSE_MS;
      if (Object.keys(this.#options).length) socket.send(JSON.stringify({ type: "options", ...this.#options }));
      this.onState("open", 0);
    };
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(data));
    socket.onclose = ({ code }) => this.#onClose(code);
  }

  #receive(message) {
    const sentAt = message.type === "reading" || message.type === "error" ? this.#sentAt.get(message.seq) : undefined;
    if (sentAt !== undefined) this.#sentAt.delete(message.seq);
    this.onMessage(message, sentAt === undefined ? null : performance.now() - sentAt);
  }

  #onClose(code) {
    this.#sentAt.clear();
    if (this.#isOver) return;
    if (code === NO_KEY) needsKey.value = true;
    const isFinal = FINAL.has(code);
    this.onState(isFinal ? "closed" : "waiting", code);
    if (isFinal) return;
    setTimeout(() => !this.#isOver && this.#connect(), this.#pauseMs);
    this.#pauseMs = Math.min(2 * this.#pauseMs, OVERLOADED.has(code) ? LONGEST_PAUSE_MS : LONGEST_PAUSE_LOST_MS);
  }
}

/** A frame of kind 1: `<BBHI` kind, side, reserved, seq, then `<HH` width and height, then 63 float32. */
function frame(seq, points, side, width, height) {
  const view = new DataView(new ArrayBuffer(FRAME_BYTES));
  view.setUint8(0, 1);
  view.setUint8(1, side === "left" ? 0 : 1);
  view.setUint32(4, seq, true);
  view.setUint16(8, width, true);
  view.setUint16(10, height, true);
  points.forEach((value, index) => view.setFloat32(12 + 4 * index, value, true));
  return view.buffer;
}
