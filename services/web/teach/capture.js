// Photographs of the camera's hand for one letter: while a button is held, or a burst after a count.
import { html, signal, useEffect, useRef } from "../html.js";
import { cameraProblem, Stage } from "../live/stage.js";
import { text } from "../text.js";
import { addPhotograph } from "./adding.js";
import { Diversity } from "./diversity.js";

const EVERY_MS = 180;
const BURST = 20;
const COUNT_FROM = 3;
const QUALITY = 0.9;
const MAX_WAITING = 30;

const hasHand = signal(false);
const isTaking = signal(false);
const count = signal(0); // what is left of 3-2-1
const taken = signal({ n: 0, nRefused: 0 });
const isPoor = signal(false); // those taken look alike

export function Capture({ dataset, label, signer, onTaken, onProblem, onStop }) {
  const left = useRef(0);
  const lastMs = useRef(0);
  const nWaiting = useRef(0);
  const camera = useRef(null);
  const timer = useRef(null);
  const ids = useRef(new Set());
  const diversity = useRef(new Diversity());
  const canTake = Boolean(label && signer);

  const stop = () => {
    left.current = 0;
    isTaking.value = false;
  };
  useEffect(() => {
    taken.value = { n: 0, nRefused: 0 };
    ids.current = new Set();
    diversity.current = new Diversity();
    isPoor.value = false;
    return () => {
      clearInterval(timer.current);
      count.value = 0;
      stop();
    };
  }, [label]);

  const onFound = (found) => {
    hasHand.value = Boolean(found.points);
    const now = performance.now();
    if (!isTaking.value || now - lastMs.current < EVERY_MS || nWaiting.current >= MAX_WAITING) return;
    lastMs.current = now;
    if (!found.points) {
      taken.value = { ...taken.value, nRefused: taken.value.nRefused + 1 };
      return;
    }
    diversity.current.add(found.points, found.width, found.height);
    isPoor.value = diversity.current.isPoor;
    take();
    left.current -= 1;
    if (left.current <= 0) stop();
  };
  const take = async () => {
    nWaiting.current += 1;
    try {
      const blob = await photograph(camera.current.video);
      const sample = await addPhotograph(dataset, blob, `${label}-${Date.now()}.jpg`, label, signer);
      ids.current.add(sample.id); // a frame like one before is not kept twice
      taken.value = { ...taken.value, n: ids.current.size };
      onTaken(sample);
    } catch (error) {
      stop();
      onProblem(error);
    } finally {
      nWaiting.current -= 1;
    }
  };
  const hold = (isDown) => (event) => {
    if (event.type.startsWith("key") && ![" ", "Enter"].includes(event.key)) return;
    if (event.type.startsWith("key")) event.preventDefault();
    if (!isDown) return stop();
    if (isTaking.value || !canTake) return;
    left.current = Infinity;
    isTaking.value = true;
  };
  const burst = () => {
    count.value = COUNT_FROM;
    timer.current = setInterval(() => {
      count.value -= 1;
      if (count.value > 0) return;
      clearInterval(timer.current);
      left.current = BURST;
      isTaking.value = true;
    }, 1000);
  };
  const say = () => {
    if (!canTake) return label ? text.teach.needsSigner : text.teach.needsLetter;
    if (!hasHand.value) return text.live.reasons.no_hand;
    return isPoor.value ? text.teach.alike : text.teach.ready(label);
  };
  return html`<div><${Stage} cameraRef=${camera} onFound=${onFound} onProblem=${(error) => (onProblem(cameraProblem(error)), onStop())}>
      ${count.value > 0 && html`<span class="tick count" aria-live="assertive">${count.value}</span>`}
      ${isTaking.value && html`<span class="taking" aria-hidden="true"></span>`}
      <dl class="figures"><div><dt>${text.teach.taken}</dt><dd data-testid="taken">${taken.value.n}</dd></div>
        ${taken.value.nRefused > 0 && html`<div><dt>${text.teach.refused}</dt><dd>${taken.value.nRefused}</dd></div>`}</dl>
    <//>
    <p class="why" role="status">${say()}</p>
    <div class="row wrap">
      <button class="primary big grow held" disabled=${!canTake} onPointerDown=${hold(true)} onPointerUp=${hold(false)} onPointerLeave=${hold(false)}
        onKeyDown=${hold(true)} onKeyUp=${hold(false)} onBlur=${stop}>${text.teach.hold(label ?? "")}</button>
      <button class="big" disabled=${!canTake || count.value > 0 || isTaking.value} onClick=${burst}>${text.teach.burst(BURST)}</button>
      <button onClick=${onStop}>${text.live.stop}</button>
    </div>
    <p class="muted small">${text.teach.sent}</p></div>`;
}

/** The frame that is shown, as a JPEG, not mirrored. */
function photograph(video) {
  const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d").drawImage(video, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
