// Practice: a drawn hand to copy, and what to change until it is right.
import { apiKey, call, nReturns } from "../api.js";
import { readingCode } from "../code/live.js";
import { html, signal, useEffect, useMemo, useRef } from "../html.js";
import { Reading } from "../live/reading.js";
import { cameraProblem, Stage } from "../live/stage.js";
import { Code, Head, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { Course, drawLetters } from "./course.js";

const N_LETTERS = 10;
const ADVICE_EVERY_MS = 400;

const samples = signal(null); // letter -> {is_motion}
const isOn = signal(false);
const word = signal("");
const course = signal(null);
const tick = signal(0); // the course is no signal: this tells of its changes
const advice = signal({ said: "", part: null });
const problem = signal(null);

export function PracticeScreen() {
  useEffect(() => {
    if (!samples.value) load();
  }, [nReturns.value]);
  useEffect(() => () => (isOn.value = false), []);
  tick.value;
  return html`<${Head} title=${text.practice.title}>${text.practice.lead}<//>
    <${ProblemNote} problem=${problem.value} onClose=${() => (problem.value = null)} />
    ${isOn.value ? html`<${Lesson} key=${apiKey.value} />` : html`<${Choice} />`}
    <${Code} ...${readingCode(location.origin, location.host)} />`;
}

function Choice() {
  const begin = (letters) => {
    problem.value = null;
    course.value = new Course(letters);
    isOn.value = true;
  };
  const spell = (event) => {
    event.preventDefault();
    if (word.value) begin([...word.value]);
  };
  const still = Object.keys(samples.value ?? {}).filter((letter) => !samples.value[letter].is_motion);
  return html`<div class="columns even">
      <section class="card"><h2>${text.practice.lettersTitle}</h2><p class="muted">${text.practice.lettersLead(N_LETTERS)}</p>
        <button class="primary big" disabled=${!still.length} onClick=${() => begin(drawLetters(still, N_LETTERS))}>${text.practice.letters}</button>
      </section>
      <section class="card"><h2>${text.practice.wordTitle}</h2><p class="muted">${text.practice.wordLead}</p>
        <form class="row" onSubmit=${spell}>
          <input class="grow" aria-label=${text.practice.word} placeholder=${text.practice.word} value=${word.value} maxlength="30"
            onInput=${(event) => (word.value = event.target.value = event.target.value.toUpperCase().replace(/[^A-Z]/g, ""))} />
          <button disabled=${!word.value}>${text.practice.spell}</button>
        </form>
      </section>
    </div>
    <section class="card"><h2>${text.practice.alphabet}</h2>
      <div class="chart">${Object.entries(samples.value ?? {}).map(([letter, { is_motion: isMotion }]) => html`<figure key=${letter}>
        <img src="/page/samples/${letter}.jpg" alt=${text.photo.sample(letter)} loading="lazy" width="200" height="200" />
        <figcaption>${letter}${isMotion ? html`<small>${text.practice.starts}</small>` : ""}</figcaption></figure>`)}</div>
    </section>`;
}

function Lesson() {
  const reading = useMemo(() => new Reading(), []);
  const lastAdvice = useRef(0);
  useEffect(() => () => reading.close(), []);
  const now = course.value;
  useEffect(() => {
    advice.value = { said: "", part: null };
    if (now.letter) reading.explain(now.letter);
  }, [now, now.letter]);
  const onFound = (found) => {
    reading.send(found);
    const atMs = performance.now();
    if (now.see(found.points && reading.stable.value, atMs)) tick.value += 1;
    if (atMs - lastAdvice.current < ADVICE_EVERY_MS) return;
    lastAdvice.current = atMs;
    advice.value = advise(found, reading, now.letter);
  };
  const onProblem = (error) => {
    problem.value = cameraProblem(error);
    isOn.value = false;
  };
  return html`<ol class="tiles" aria-label=${text.practice.progress(now.nRight, now.letters.length)}>
      ${now.letters.map((letter, index) => html`<li key=${index} class=${tileClass(now, index)}
        aria-current=${index === now.index ? "step" : null}>${letter}</li>`)}
    </ol>
    <div class="columns even lesson">
      <div>
        <${Stage} onFound=${onFound} onProblem=${onProblem} marked=${advice.value.part}>
          ${reading.now.value?.letter && html`<p class="seen">${text.practice.seen} <strong>${reading.stable.value ?? reading.now.value.letter}</strong></p>`}
        <//>
        <div class="row under"><button onClick=${() => (isOn.value = false)}>${text.practice.stop}</button>
          <p class="muted grow">${text.live.privacy}</p></div>
      </div>
      ${now.isDone ? html`<${Done} />` : html`<${Target} reading=${reading} />`}
    </div>`;
}

function Target({ reading }) {
  const now = course.value;
  const skip = () => {
    now.next();
    tick.value += 1;
  };
  const isMotion = samples.value[now.letter]?.is_motion;
  const socket = reading.state.value === "open" ? null : text.live.closed[reading.closeCode.value] ?? text.live.connecting;
  return html`<section class="card target ${now.isRight ? "right" : ""}">
    <div class="row"><h2 class="grow">${text.practice.show(now.letter)}</h2><button onClick=${skip}>${text.practice.skip}</button></div>
    <div class="stage square"><div class="mirror"><img class="photo" src="/page/samples/${now.letter}.jpg" alt=${text.photo.sample(now.letter)} /></div>
      ${now.isRight && html`<span class="tick" aria-hidden="true">✓</span>`}</div>
    <p class="advice" role="status" data-testid="advice">${now.isRight ? text.practice.right : socket ?? advice.value.said}</p>
    ${advice.value.part && !now.isRight && html`<p class="muted small">${text.practice.marked}</p>`}
    ${isMotion && html`<p class="muted small">${text.live.motion(now.letter)}</p>`}
  </section>`;
}

function Done() {
  const now = course.value;
  return html`<section class="card done-card" role="status"><p class="letter">✓</p>
    <h2>${text.practice.done(now.nRight, now.letters.length)}</h2>
    <button class="primary" onClick=${() => (isOn.value = false)}>${text.practice.again}</button></section>`;
}

function tileClass(now, index) {
  if (index < now.index || (index === now.index && now.isRight)) return "past";
  return index === now.index ? "current" : "";
}

/** What to do; the judgement is the service's, that of every answer of the API. */
function advise({ points }, reading, letter) {
  const read = reading.now.value;
  if (!points) return { said: text.practice.none, part: null };
  if (read?.letter === letter) return { said: text.practice.hold, part: null };
  if (read?.explanation?.expected !== letter) return { said: "", part: null }; // of the letter before, or of none
  return { said: coach(read.explanation) ?? text.practice.alike, part: read.explanation.finger };
}

/** The service's own words, or this language's for the same: what differs most, and how it is to move. */
function coach({ expected, finger, advice: told, differences }) {
  const said = text.service?.coaching;
  if (!finger || !said) return told;
  if (finger === "thumb") return said.thumb[expected];
  if (finger === "hand") return said.hand[expected] ?? said.upright;
  return said.changes[differences[0].change](said.parts[finger]);
}

async function load() {
  try {
    samples.value = Object.fromEntries((await call("GET", "/page/samples/index.json")).map((entry) => [entry.letter, entry]));
  } catch (error) {
    problem.value = error;
  }
}
