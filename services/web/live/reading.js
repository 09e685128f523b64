// What the live socket says now, as signals, for whichever screen has the camera.
import { signal } from "../html.js";
import { LiveSocket } from "./socket.js";

const SMOOTH = 0.15; // of the newest round trip in the one that is shown

/** A connection, and what came of it. */
export class Reading {
  /** The last `reading` message, or null. */
  now = signal(null);
  /** The letter held steadily, or null. */
  stable = signal(null);
  /** "connecting", "open", "waiting" (tries again) or "closed". */
  state = signal("connecting");
  closeCode = signal(0);
  roundTripMs = signal(null);
  nDropped = signal(0);
  modelVersion = signal("");
  problem = signal(null);
  /** The last `text` message: the word as it is spelled, where `spell` has asked for it; or null. */
  word = signal(null);

  constructor() {
    this.socket = new LiveSocket(
      (message, roundTripMs) => this.#receive(message, roundTripMs),
      (state, code) => {
        this.state.value = state;
        this.closeCode.value = code;
        if (state !== "open") this.now.value = this.stable.value = null;
      },
    );
  }

  send(found) {
    this.socket.send(found);
  }

  /** Have words read, J and Z as movements, or no longer; a new word begins. */
  spell(isOn) {
    this.word.value = null;
    this.socket.setOptions({ spelling: isOn });
  }

  /** Have readings tell what of the hand differs from a letter. */
  explain(expected) {
    this.socket.setOptions({ explain: true, expected });
  }

  close() {
    this.socket.close();
  }

  #receive(message, roundTripMs) {
    if (message.type === "hello") this.modelVersion.value = message.model_version;
    if (message.type === "error") this.problem.value = message;
    if (message.type === "text") this.word.value = message;
    if (message.type !== "reading") return;
    this.problem.value = null;
    this.now.value = message;
    this.stable.value = message.stable;
    this.nDropped.value = message.n_dropped;
    this.modelVersion.value = message.model_version;
    if (roundTripMs === null) return;
    const before = this.roundTripMs.value;
    this.roundTripMs.value = before === null ? roundTripMs : before + SMOOTH * (roundTripMs - before);
  }
}
