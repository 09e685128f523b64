// Photographs with the hand's points: each can be given another letter, left out, and taken in again.
import { call } from "../api.js";
import { html, signal, useRef, useState } from "../html.js";
import { drawSkeleton } from "../live/skeleton.js";
import { Picture } from "../parts.js";
import { text } from "../text.js";
import { pointsOf } from "./points.js";

const LETTER = /^[a-z]$/i;
const ODD = new Set(["excluded", "no_hand", "unreadable"]);
const THICKNESS = 2.4;
const STEPS = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" };

const isDrawn = signal(localStorage.getItem("points") !== "no");

/**
 * Shows photographs.
 *
 * @param {{photographs: Array<{dataset: string, sample: object, note?: string}>, onChange: Function, onProblem: Function}}
 *   props `onChange` gets a sample that was changed
 */
export function Tiles({ photographs, onChange, onProblem }) {
  if (!photographs.length) return null;
  const draw = ({ target }) => {
    isDrawn.value = target.checked;
    localStorage.setItem("points", target.checked ? "yes" : "no");
  };
  return html`<div class="row wrap"><p class="muted small grow" id="tile-keys">${text.teach.keys}</p>
      <label class="inline"><input type="checkbox" checked=${isDrawn.value} onChange=${draw} />${text.teach.points}</label></div>
    <ul class="photos">${photographs.map((one) => html`<${Tile} key=${one.sample.id} ...${one} onChange=${onChange} onProblem=${onProblem} />`)}</ul>`;
}

function Tile({ dataset, sample, note, onChange, onProblem }) {
  const canvas = useRef(null);
  const [hasNoHand, setHasNoHand] = useState(false);
  const path = `/api/v1/datasets/${encodeURIComponent(dataset)}/samples/${sample.id}`;
  const change = async (json) => {
    try {
      onChange(await call("PATCH", path, { json }));
    } catch (error) {
      onProblem(error);
    }
  };
  const isOut = sample.state === "excluded";
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    if (step) event.currentTarget.parentElement[step]?.querySelector("button").focus();
    else if (["x", "Delete"].includes(event.key)) change({ excluded: !isOut }); // the letter X comes with Shift
    else if (LETTER.test(event.key)) change({ label: event.key.toUpperCase() });
    else return;
    event.preventDefault();
  };
  const draw = async ({ currentTarget: image }) => {
    // What the browser cannot show, or has no hands for, stays as it is: the points are an aid.
    const hand = await pointsOf(image, sample.sha256).catch(() => null);
    if (!hand || !canvas.current) return;
    drawSkeleton(canvas.current, hand.points, hand.width, hand.height, { thickness: THICKNESS });
    setHasNoHand(!hand.points);
  };
  const mark = ODD.has(sample.state) ? text.teach.states[sample.state] : hasNoHand && text.teach.unseen;
  return html`<li class=${sample.state}><button onKeyDown=${onKey} onClick=${() => change({ excluded: !isOut })} aria-describedby="tile-keys">
      <${Picture} path=${`${path}/image`} width="120" height="120" onLoad=${isDrawn.value ? draw : undefined} />
      ${isDrawn.value && html`<canvas ref=${canvas} aria-hidden="true"></canvas>`}
      <strong>${sample.label}</strong>${" "}${note && html`<small>${note}</small>`}${" "}${mark && html`<em>${mark}</em>`}
      <span class="sr">${text.teach.photograph(mark ? "" : text.teach.states[sample.state] ?? sample.state, sample.signer)}</span></button></li>`;
}
