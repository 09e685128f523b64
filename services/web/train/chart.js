// A chart that follows the width of its place and the colours of the page.
import uPlot from "uplot";
import { html, useEffect, useRef } from "../html.js";

const HEIGHT_PX = 240;

/**
 * Shows a chart of uPlot.
 *
 * @param {{title: string, said: string, data: Array, options: () => object}} props `said` is what is read out;
 *   `options` are read anew when the colours change
 */
export function Chart({ title, said, data, options }) {
  const place = useRef(null);
  const chart = useRef(null);
  const latest = useRef(data);
  latest.current = data;
  useEffect(() => {
    const box = place.current;
    const draw = () => {
      chart.current?.destroy();
      chart.current = new uPlot({ width: box.clientWidth, height: HEIGHT_PX, ...options() }, latest.current, box);
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
  useEffect(() => chart.current?.setData(data), [data]);
  return html`<figure class="curve"><figcaption><h2>${title}</h2></figcaption>
    <div ref=${place} role="img" aria-label=${said}></div></figure>`;
}

/** How both axes look. */
export const axis = () => ({ stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui" });

/** Whole numbers along an axis. */
export const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200];

/** The colour that a variable comes to: canvases do not know `light-dark()`. */
export function colour(name) {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
