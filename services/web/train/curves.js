// The curves of a training, as its epochs come in.
import uPlot from "uplot";
import { html, useEffect, useRef } from "../html.js";
import { text } from "../text.js";

const HEIGHT_PX = 240;

/** One chart with the training's figure and the validation's. */
export function Curve({ epochs, figure, title, isShare }) {
  const place = useRef(null);
  const chart = useRef(null);
  const data = [epochs.map((epoch) => epoch.epoch), epochs.map((epoch) => epoch[`train_${figure}`]), epochs.map((epoch) => epoch[`val_${figure}`])];
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const box = place.current;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot(options(box.clientWidth, isShare), latest.current, box);
    };
    draw();
    const observer = new ResizeObserver(() => chart.current.setSize({ width: box.clientWidth, height: HEIGHT_PX }));
    observer.observe(box);
    // Colours are read when the chart is made.
    const themes = new MutationObserver(draw);
    themes.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    const system = matchMedia("(prefers-color-scheme: dark)");
    system.addEventListener("change", draw);
    return () => {
      observer.disconnect();
      themes.disconnect();
      system.removeEventListener("change", draw);
      chart.current.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data), [epochs]);
  const last = epochs.at(-1);
  const said = last ? text.train.said(title, last.epoch, show(last[`train_${figure}`], isShare), show(last[`val_${figure}`], isShare)) : title;
  return html`<figure class="curve"><figcaption><h2>${title}</h2></figcaption>
    <div ref=${place} role="img" aria-label=${said}></div></figure>`;
}

export function show(value, isShare) {
  if (value == null) return "–";
  return isShare ? `${(100 * value).toFixed(1)} %` : value.toFixed(3);
}

function options(width, isShare) {
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" };
  const values = (_, found) => found.map((value) => (isShare ? `${Math.round(100 * value)} %` : value));
  const line = (label, name, more) => ({ label, stroke: colour(name), width: 2.5, points: { show: false }, value: (_, value) => show(value, isShare), ...more });
  return {
    width,
    height: HEIGHT_PX,
    scales: { x: { time: false }, y: isShare ? { range: (_, low) => [Math.min(0.9, Math.floor(10 * (low ?? 0)) / 10), 1] } : { range: (_, low, high) => [0, (high ?? 1) * 1.05] } },
    axes: [{ ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200] }, { ...axis, size: 56, values }],
    series: [{ label: text.train.epoch }, line(text.train.training, "--edge", { dash: [6, 5] }), line(text.train.validation, "--accent")],
    cursor: { y: false },
    legend: { live: false },
  };
}

/** The colour that a variable comes to: canvases do not know `light-dark()`. */
function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
