// Live: the camera's hand as a letter, and letters as words.
import { apiKey } from "../api.js";
import { readingCode } from "../code/live.js";
import { effect, html, signal, useEffect, useMemo, useRef } from "../html.js";
import { number } from "../numbers.js";
import { Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { LetterCard } from "./letter.js";
import { isOpen } from "./openness.js";
import { PhotoReader } from "./photo.js";
import { Reading } from "./reading.js";
import { Speller } from "./speller.js";
import { cameraProblem, Stage } from "./stage.js";
import { isFluent, likeliest, WordBox } from "./word.js";

const FIGURES_EVERY_MS = 500;

const mode = signal("idle"); // or "camera"
const problem = signal(null);
const spelled = signal({ text: "", progress: 0 });
const figures = signal({ fps: 0, ms: 0, nPassedOver: 0 });
const speller = new Speller();

export function LiveScreen() {
  useEffect(() => () => (mode.value = "idle"), []);
  return html`<div class="live">
    <${Head} title=${text.live.title}>${text.live.lead}<//>
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    ${mode.value === "camera" ? html`<${Camera} key=${apiKey.value} />` : html`<${PhotoReader} onCamera=${startCamera} />`}
    <${Code} ...${readingCode(location.origin, location.host)} />
  </div>`;
}

function startCamera() {
  problem.value = null;
  mode.value = "camera";
}

function Camera() {
  const reading = useMemo(() => new Reading(), []);
  const lastFigures = useRef(0);
  useEffect(() => {
    const ends = [effect(() => reading.spell(isFluent.value)), effect(() => take(reading.word.value))];
    return () => {
      for (const end of ends) end();
      reading.close();
    };
  }, []);

  const onFound = (found, camera) => {
    reading.send(found);
    const now = performance.now();
    // An open hand ends a word as none does.
    const isThere = Boolean(found.points) && !isOpen(found.points, found.width, found.height);
    if (!isFluent.value) speller.see(found.points ? reading.stable.value : null, isThere, now);
    publish();
    if (now - lastFigures.current < FIGURES_EVERY_MS) return;
    lastFigures.current = now;
    figures.value = { fps: camera.fps, ms: found.ms, nPassedOver: camera.nPassedOver };
  };
  const onEdited = () => {
    publish();
    if (isFluent.peek()) reading.spell(true); // else the next letter would bring back what was changed
  };
  const stop = () => (mode.value = "idle");
  const onProblem = (error) => {
    problem.value = cameraProblem(error);
    stop();
  };
  return html`<div class="columns">
      <div>
        <${Stage} onFound=${onFound} onProblem=${onProblem}>
          <${Figures} reading=${reading} />
        <//>
        <div class="row under">
          <button onClick=${stop}>${text.live.stop}</button>
          <p class="muted grow">${text.live.privacy}</p>
        </div>
      </div>
      <${LetterCard} reading=${reading} progress=${spelled.value.progress} />
    </div>
    <${WordBox} speller=${speller} spelled=${spelled.value} word=${reading.word.value} onChange=${onEdited} />`;
}

/** Put down what was read of a word; at its end, the likeliest of what it may be. */
function take(word) {
  if (!word) return;
  speller.read(word.is_end ? likeliest(word) : word.text, word.is_end);
  publish();
}

function Figures({ reading }) {
  const { fps, ms, nPassedOver } = figures.value;
  const roundTrip = reading.roundTripMs.value;
  const shown = [
    [text.live.fps, number(fps)],
    [text.live.landmarksMs, `${number(ms)} ms`],
    [text.live.roundTrip, roundTrip === null ? "–" : `${number(roundTrip)} ms`],
    [text.live.dropped, nPassedOver + reading.nDropped.value],
  ];
  return html`<dl class="figures">${shown.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function publish() {
  const before = spelled.peek(); // what calls this is not to be called again for it
  if (before.text === speller.text && before.progress === speller.progress) return;
  spelled.value = { text: speller.text, progress: speller.progress };
}
