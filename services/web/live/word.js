// The word being spelled, and what can be done with it.
import { html, signal, useRef } from "../html.js";
import { number } from "../numbers.js";
import { language, text } from "../text.js";

const HOLDS_MS = [400, 700, 1000, 1500];
const holdMs = signal(Number(localStorage.getItem("hold-ms")) || 700);
const isCopied = signal(false);

/** Whether words are read as they are spelled, and not letters added as they are held. */
export const isFluent = signal(localStorage.getItem("fluent") === "yes");

/** A word's likeliest reading: as it was spelled, or a word that may be meant. */
export function likeliest({ text: spelled, suggestions }) {
  const rest = 1 - suggestions.reduce((sum, { confidence }) => sum + confidence, 0);
  return suggestions[0]?.confidence > rest ? suggestions[0].word : spelled;
}

export function WordBox({ speller, spelled, word, onChange }) {
  const input = useRef(null);
  speller.holdMs = holdMs.value;
  const act = (action) => () => {
    action();
    onChange();
  };
  const copy = async () => {
    await navigator.clipboard.writeText(speller.text);
    isCopied.value = true;
    setTimeout(() => (isCopied.value = false), 1500);
  };
  const choose = (event) => {
    holdMs.value = Number(event.target.value);
    localStorage.setItem("hold-ms", holdMs.value);
  };
  const chooseWay = ({ target }) => {
    isFluent.value = target.checked;
    localStorage.setItem("fluent", target.checked ? "yes" : "no");
  };
  const voice = localVoice();
  return html`<section class="card word" aria-label=${text.word.title}>
    <label class="sr" for="word">${text.word.title}</label>
    <input id="word" ref=${input} value=${spelled.text} placeholder=${text.word.placeholder} autocomplete="off"
      autocapitalize="characters" spellcheck="false" data-testid="word"
      onInput=${(event) => (speller.type(event.target.value.toUpperCase()), onChange())} />
    ${isFluent.value && html`<${Suggestions} word=${word} onChoose=${(chosen) => act(() => speller.replace(chosen))()} />`}
    <div class="row wrap">
      <button onClick=${act(() => speller.space())}>${text.word.space}</button>
      <button onClick=${act(() => speller.backspace())}>${text.word.backspace}</button>
      <button onClick=${act(() => speller.undo())}>${text.word.undo}</button>
      <button onClick=${act(() => speller.clear())}>${text.word.clear}</button>
      <span class="grow"></span>
      <label class="inline"><input type="checkbox" checked=${isFluent.value} onChange=${chooseWay} />${text.word.fluent}</label>
      <label class="inline">${text.word.hold}
        <select disabled=${isFluent.value} onChange=${choose} value=${holdMs.value}>
          ${HOLDS_MS.map((ms) => html`<option key=${ms} value=${ms}>${number(ms / 1000, ms % 1000 ? 1 : 0)} s</option>`)}
        </select></label>
      <button disabled=${!spelled.text} onClick=${copy}>${isCopied.value ? text.copied : text.copy}</button>
      <button disabled=${!spelled.text || !voice} title=${voice ? "" : text.word.noVoice}
        onClick=${() => speak(spelled.text, voice)}>${text.word.speak}</button>
    </div>
    <p class="muted small">${isFluent.value ? text.word.howFluent : text.word.how}</p>
  </section>`;
}

/** Words that may be meant by the last one. */
function Suggestions({ word, onChoose }) {
  const others = word?.suggestions.length ? [word.text, ...word.suggestions.map((one) => one.word)] : [];
  return html`<div class="row wrap suggestions" role="group" aria-label=${text.word.suggestions}>${[...new Set(others)].map((one) => html`<button key=${one}
    class="chip" onClick=${() => onChoose(one)}>${one}</button>`)}</div>`;
}

/** A voice of this machine, in the page's language: others would send the words away. */
function localVoice() {
  return globalThis.speechSynthesis?.getVoices().find((voice) => voice.localService && voice.lang.startsWith(language));
}

function speak(words, voice) {
  const utterance = new SpeechSynthesisUtterance(words.toLowerCase());
  utterance.voice = voice;
  speechSynthesis.cancel();
  speechSynthesis.speak(utterance);
}
