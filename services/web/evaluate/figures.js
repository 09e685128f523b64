// What an evaluation found, as lists and diagrams.
import { html } from "../html.js";
import { accuracy } from "../numbers.js";
import { text } from "../text.js";

/** The figures that are compared: [name, value, how it is written, whether more is better]. */
export function headline({ all_rows: all, unseen, without_motion: still }) {
  return [
    [text.evaluate.figures.accuracy, all.accuracy, accuracy, true],
    [text.evaluate.figures.unseen, unseen?.accuracy, accuracy, true],
    [text.evaluate.figures.still, still?.accuracy, accuracy, true],
    [text.evaluate.figures.top3, all.top3_accuracy, accuracy, true],
    [text.evaluate.figures.macroF1, all.macro.f1, accuracy, true],
    [text.evaluate.figures.worst, all.worst_group?.accuracy, accuracy, true],
    [text.evaluate.figures.calibration, all.calibration_error, accuracy, false],
  ];
}

/** How well each signer was read, the worst first. */
export function Signers({ report }) {
  const groups = report.all_rows.groups.toSorted((one, other) => one.accuracy - other.accuracy);
  return html`<section class="card"><h2>${text.evaluate.signers}</h2>
    ${groups.length === 0 && html`<p class="muted">${text.evaluate.noSigners}</p>`}
    <ol class="shares" aria-label=${text.evaluate.signers}>${groups.map(({ group, n_rows: n, accuracy: share, n_rows_trained_on: nSeen }) => html`<li key=${group}>
      <span class="name">${group}${nSeen > 0 && html` <small class="muted">${text.evaluate.trainedOn}</small>`}</span>
      <${Track} share=${share} /><span class="figure">${accuracy(share)}</span><span class="muted small">${n}</span></li>`)}</ol></section>`;
}

/** F1 of each letter, the worst first. */
export function Letters({ report }) {
  const letters = report.all_rows.letters.toSorted((one, other) => one.f1 - other.f1);
  return html`<section class="card"><h2>${text.evaluate.letters}</h2>
    <ol class="shares dense" aria-label=${text.evaluate.letters}>${letters.map(({ letter, f1, precision, recall, support }) => html`<li key=${letter}
      title=${text.evaluate.letter(accuracy(precision), accuracy(recall))}>
      <span class="name">${letter}</span><${Track} share=${f1} /><span class="figure">${accuracy(f1)}</span><span class="muted small">${support}</span></li>`)}</ol></section>`;
}

const Track = ({ share }) => html`<span class="track"><span class="fill" style=${{ transform: `scaleX(${share})` }}></span></span>`;

const SIZE = 200;
const at = (share) => SIZE * share;

/** How often answers of each confidence are right; on the line they are as right as they are sure. */
export function Reliability({ report }) {
  const error = accuracy(report.all_rows.calibration_error);
  return html`<section class="card"><h2>${text.evaluate.reliability}</h2>
    <svg class="reliability" viewBox="-34 -8 ${SIZE + 46} ${SIZE + 44}" role="img" aria-label=${text.evaluate.reliabilitySaid(error, report.reliability.map(said))}>
      <rect width=${SIZE} height=${SIZE} class="frame" />
      ${report.reliability.map(({ lower, upper, accuracy: right, confidence, n_rows: n }) => html`<g key=${lower}>
        <rect x=${at(lower) + 1} width=${at(upper - lower) - 2} y=${SIZE - at(right)} height=${at(right)} class="bin" fill-opacity=${0.25 + 0.75 * Math.sqrt(n / report.all_rows.n_rows)} />
        <line x1=${at(confidence)} x2=${at(confidence)} y1=${SIZE - at(right)} y2=${SIZE - at(confidence)} class="gap" /></g>`)}
      <line x1="0" y1=${SIZE} x2=${SIZE} y2="0" class="ideal" />
      ${[0, 0.5, 1].map((share) => html`<g key=${share} class="scale"><text x=${at(share)} y=${SIZE + 14} text-anchor="middle">${100 * share}</text>
        <text x="-6" y=${SIZE - at(share) + 4} text-anchor="end">${100 * share}</text></g>`)}
      <text x=${SIZE / 2} y=${SIZE + 30} text-anchor="middle" class="scale">${text.evaluate.confidence}</text>
      <text transform="translate(-25 ${SIZE / 2}) rotate(-90)" text-anchor="middle" class="scale">${text.evaluate.right}</text>
    </svg>
    <p class="muted small">${text.evaluate.reliabilityLead(error)}</p></section>`;
}

const said = ({ confidence, accuracy: right, n_rows: n }) => text.evaluate.bin(accuracy(confidence), accuracy(right), n);
