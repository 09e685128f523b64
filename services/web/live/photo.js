// Without a camera: a photograph, or one of the drawn hands.
import { recognize, request } from "../api.js";
import { html, signal, useEffect } from "../html.js";
import { percent } from "../numbers.js";
import { Bars, DropZone, ProblemNote } from "../parts.js";
import { text } from "../text.js";
import { handFinder } from "./hand-finder.js";

const LETTERS = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

const picture = signal(null); // {url, name}
const answer = signal(null);
const isReading = signal(false);
const problem = signal(null);

export function PhotoReader({ onCamera }) {
  useEffect(() => () => (problem.value = null), []);
  return html`<div class="columns">
      <div class="stage empty">
        ${picture.value
          ? html`<img class="photo" src=${picture.value.url} alt=${picture.value.name} />`
          : html`<div class="welcome">
              <div class="hands" aria-hidden="true">${["A", "S", "L"].map((letter) => html`<img key=${letter}
                src="/page/samples/small/${letter}.jpg" alt="" width="120" height="120" />`)}</div>
              <p>${text.live.welcome}</p>
            </div>`}
      </div>
      <section class="card side">
        <button class="primary big" onClick=${onCamera} onPointerEnter=${() => handFinder("VIDEO")} onFocus=${() => handFinder("VIDEO")}>${text.live.start}</button>
        <p class="muted small">${text.live.privacy}</p>
        <${DropZone} accept="image/*" label=${text.photo.choose} onFiles=${({ files }) => files[0] && read(files[0], files[0].name)}>
          <span class="muted">${text.photo.drop}</span>
        <//>
        <${Answer} />
      </section>
    </div>
    <${ProblemNote} problem=${problem.value} />
    <section class="card">
      <h2>${text.photo.samples}</h2>
      <div class="sample-strip">${LETTERS.map((letter) => html`<button key=${letter} class="sample"
        aria-label=${text.photo.sample(letter)} onClick=${() => readSample(letter)}>
        <img src="/page/samples/small/${letter}.jpg" alt="" loading="lazy" width="84" height="84" /><span>${letter}</span></button>`)}</div>
      <p class="muted small">${text.photo.drawn}</p>
    </section>`;
}

function Answer() {
  if (isReading.value) return html`<p role="status" class="muted">${text.photo.reading}</p>`;
  const read = answer.value;
  if (!read) return null;
  return html`<div class="answer" role="status">
    <span class="letter" data-testid="photo-letter">${read.letter ?? "–"}</span>
    <div>
      <p><strong>${read.letter ? text.photo.letter(read.letter, percent(read.confidence)) : text.live.reasons[read.reason]}</strong></p>
      ${read.needs_motion && html`<p class="muted">${text.live.motion(read.letter)}</p>`}
      <${Bars} alternatives=${read.alternatives} />
    </div>
  </div>`;
}

async function readSample(letter) {
  try {
    const answer = await request("GET", `/page/samples/${letter}.jpg`);
    await read(await answer.blob(), text.photo.sample(letter));
  } catch (error) {
    problem.value = error;
  }
}

async function read(blob, name) {
  if (picture.value) URL.revokeObjectURL(picture.value.url);
  picture.value = { url: URL.createObjectURL(blob), name };
  [problem.value, answer.value, isReading.value] = [null, null, true];
  try {
    answer.value = await recognize(blob);
  } catch (error) {
    problem.value = error;
  } finally {
    isReading.value = false;
  }
}
