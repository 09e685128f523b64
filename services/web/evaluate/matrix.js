// The confusion matrix: a press on a cell shows its photographs.
import { html, useEffect, useState } from "../html.js";
import { percent } from "../numbers.js";
import { ProblemNote } from "../parts.js";
import { Tiles } from "../teach/tiles.js";
import { text } from "../text.js";
import { photographsOf } from "./loading.js";

/** Counts by letter shown and letter answered, and the photographs of the cell that was pressed. */
export function Confusions({ evaluation }) {
  const [cell, setCell] = useState(null);
  return html`<section class="card"><h2>${text.evaluate.matrix}</h2><p class="muted small">${text.evaluate.matrixLead}</p>
    <${Matrix} report=${evaluation.report} cell=${cell} onChoose=${setCell} />
    ${cell && html`<${Photographs} key=${cell.join()} evaluation=${evaluation} letter=${cell[0]} answer=${cell[1]} onClose=${() => setCell(null)} />`}</section>`;
}

function Matrix({ report, cell, onChoose }) {
  const { label_names: names, confusion_matrix: counts } = report;
  const occurring = names.map((_, index) => index).filter((index) => counts.some((row, letter) => row[index] || (letter === index && row.some(Boolean))));
  const isChosen = (letter, answer) => cell?.[0] === letter && cell[1] === answer;
  const show = (row, column) => {
    const [count, total] = [counts[row][column], counts[row].reduce((sum, one) => sum + one, 0)];
    if (!count) return html`<td key=${column}></td>`;
    const [letter, answer] = [names[row], names[column]];
    return html`<td key=${column}><button class=${row === column ? "right" : "wrong"} style=${{ "--share": `${Math.round(10 + (35 * count) / total)}%` }}
      aria-pressed=${isChosen(letter, answer)} aria-label=${text.evaluate.cell(letter, answer, count)} onClick=${() => onChoose(isChosen(letter, answer) ? null : [letter, answer])}>${count}</button></td>`;
  };
  return html`<div class="scroll" tabindex="0" role="region" aria-label=${text.evaluate.matrix}><table class="matrix">
    <thead><tr><td></td>${occurring.map((column) => html`<th key=${column} scope="col">${names[column]}</th>`)}</tr></thead>
    <tbody>${occurring.map((row) => html`<tr key=${row}><th scope="row">${names[row]}</th>${occurring.map((column) => show(row, column))}</tr>`)}</tbody></table></div>`;
}

function Photographs({ evaluation, letter, answer, onClose }) {
  const [found, setFound] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    photographsOf(evaluation, letter, answer).then(setFound, setProblem);
  }, []);
  const change = (changed) => setFound({ ...found, photographs: found.photographs.map((one) => (one.sample.id === changed.id ? { ...one, sample: changed } : one)) });
  return html`<div class="cell-photos" role="region" aria-label=${text.evaluate.cellTitle(letter, answer)}>
    <div class="row"><h3 class="grow">${text.evaluate.cellTitle(letter, answer)}</h3><button class="quiet" onClick=${onClose}>${text.close}</button></div>
    <${ProblemNote} problem=${problem} />
    ${found && html`<p class="muted small" role="status">${text.evaluate.shown(found.photographs.length, found.nRows)}</p>
      <${Tiles} photographs=${found.photographs.map((one) => ({ ...one, note: percent(one.confidence) }))} onChange=${change} onProblem=${setProblem} />`}</div>`;
}
