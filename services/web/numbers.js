// How numbers, shares and times are written, in the reader's language.
import { locale, text } from "./text.js";

const SPANS = [["day", 86_400], ["hour", 3600], ["minute", 60], ["second", 1]];
const relative = new Intl.RelativeTimeFormat(locale);

const formats = new Map(); // by what is asked of them: making one takes longer than all else

function format(options) {
  const key = JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale, { useGrouping: false, ...options }));
  return formats.get(key);
}

/** A number with so many digits after the point. */
export const number = (value, digits = 0) => format({ minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/** A number as options have it, with two digits that count: 0.001. */
export const brief = (value) => format({ maximumSignificantDigits: 2 }).format(value);

export const percent = (share) => (share == null ? "–" : `${number(100 * share, share > 0.99 && share <= 0.9995 ? 1 : 0)} %`);

/** A share with one decimal, for accuracies. */
export const accuracy = (share) => (share == null ? "–" : `${number(100 * share, 1)} %`);

/** A span of time, for people. */
export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 90) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  return seconds < 5400 ? `${number(seconds / 60)} min` : `${number(seconds / 3600, 1)} h`;
}

/** How long ago something was: "2 hours ago". */
export function ago(time) {
  const seconds = (Date.now() - new Date(time)) / 1000;
  if (seconds < 5) return text.now;
  const [unit, length] = SPANS.find(([, span]) => seconds >= span);
  return relative.format(-Math.floor(seconds / length), unit);
}

export const bytes = (count) => (count < 1e6 ? `${number(Math.ceil(count / 1e3))} kB` : `${number(count / 1e6, 1)} MB`);
