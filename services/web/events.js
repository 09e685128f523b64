// A job's server-sent events over fetch: EventSource cannot send a key.
import { request } from "./api.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;

/**
 * Watch a job from its first event to its end, across broken connections.
 *
 * @param {string} jobId
 * @param {(event: object) => void} onEvent called with each `JobEvent`
 * @param {AbortSignal} abort ends the watch
 */
export async function watchJob(jobId, onEvent, abort) {
  let last = 0;
  let pauseMs = FIRST_PAUSE_MS;
  while (!abort.aborted) {
    try {
      const answer = await request("GET", `/api/v1/jobs/${jobId}/events?after=${last}`, { signal: abort });
      if (answer.status === 204) return;
      for await (const event of parse(answer.body)) {
        last = Math.max(last, event.id);
        pauseMs = FIRST_PAUSE_MS;
        onEvent(event);
      }
    } catch (error) {
      if (abort.aborted || (error.status >= 400 && error.status < 500 && error.status !== 429)) return;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

/** Read the `data` of each event of a stream; comments and names are passed over, for the data tell their kind. */
async function* parse(stream) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (rest + value).replaceAll("\r\n", "\n").split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      const data = block.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
      if (data) yield JSON.parse(data);
    }
  }
}
