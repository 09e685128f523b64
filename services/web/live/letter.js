// The letter that is read now: large, with how sure it is, and why there is none.
import { html } from "../html.js";
import { percent } from "../numbers.js";
import { Bars } from "../parts.js";
import { text } from "../text.js";

const RADIUS = 92;
const ROUND = 2 * Math.PI * RADIUS;

export function LetterCard({ reading, progress }) {
  const now = reading.now.value;
  const stable = reading.stable.value;
  return html`<section class="card letter-card" aria-label=${text.live.letter}>
    <div class="letter-ring">
      <svg viewBox="0 0 200 200" aria-hidden="true">
        <circle cx="100" cy="100" r=${RADIUS} class="ring" />
        <circle cx="100" cy="100" r=${RADIUS} class="ring done" stroke-dasharray=${ROUND}
          stroke-dashoffset=${ROUND * (1 - progress)} />
      </svg>
      <span class="letter ${stable ? "" : "unsure"}" aria-hidden="true" data-testid="letter">${stable ?? now?.letter ?? now?.alternatives[0]?.letter ?? ""}</span>
    </div>
    <p class="why" data-testid="why">${why(reading, now, stable)}</p>
    <${Bars} alternatives=${now?.alternatives ?? []} />
    <p class="muted small">${!now ? "" : now.handedness ? text.live.hand[now.handedness] : text.live.noSide}
      ${reading.modelVersion.value && html`${now ? " · " : ""}${text.live.model(reading.modelVersion.value)}`}</p>
    <div class="sr" aria-live="polite">${stable ? text.live.said(stable) : ""}</div>
  </section>`;
}

function why(reading, now, stable) {
  if (reading.state.value === "connecting") return text.live.connecting;
  if (reading.state.value !== "open") return text.live.closed[reading.closeCode.value] ?? text.live.lost;
  if (reading.problem.value) return reading.problem.value.hint || reading.problem.value.detail;
  if (!now) return text.live.connecting;
  if (now.reason) return text.live.reasons[now.reason] ?? now.reason;
  if (now.needs_motion) return text.live.motion(now.letter);
  if (!stable) return text.live.unsure;
  return text.live.sure(percent(now.confidence));
}
