// The curves of a training, as its epochs come in.
import { html, useMemo } from "../html.js";
import { accuracy, number } from "../numbers.js";
import { text } from "../text.js";
import { axis, Chart, colour, WHOLE } from "./chart.js";

/** One chart with the training's figure and the validation's. */
export function Curve({ epochs, figure, title, isShare }) {
  const data = useMemo(() => ["epoch", `train_${figure}`, `val_${figure}`].map((name) => epochs.map((epoch) => epoch[name])), [epochs]);
  const last = epochs.at(-1);
  const said = last ? text.train.said(title, last.epoch, show(last[`train_${figure}`], isShare), show(last[`val_${figure}`], isShare)) : title;
  return html`<${Chart} title=${title} said=${said} data=${data} options=${() => options(isShare)} />`;
}

export function show(value, isShare) {
  if (value == null) return "–";
  return isShare ? accuracy(value) : number(value, 3);
}

function options(isShare) {
  const values = (_, found) => found.map((value) => (isShare ? `${number(100 * value)} %` : number(value, value % 1 ? 1 : 0)));
  const line = (label, name, more) => ({ label, stroke: colour(name), width: 2.5, points: { show: false }, value: (_, value) => show(value, isShare), ...more });
  return {
    scales: { x: { time: false }, y: isShare ? { range: (_, low) => [Math.min(0.9, Math.floor(10 * (low ?? 0)) / 10), 1] } : { range: (_, low, high) => [0, (high ?? 1) * 1.05] } },
    axes: [{ ...axis(), incrs: WHOLE }, { ...axis(), size: 56, values }],
    series: [{ label: text.train.epoch }, line(text.train.training, "--edge", { dash: [6, 5] }), line(text.train.validation, "--accent")],
    cursor: { y: false },
    legend: { live: false },
  };
}
