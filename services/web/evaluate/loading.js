// An evaluation as its screen shows it: the job, what it found, and the photographs that it was about.
import { call, request } from "../api.js";

const SHOWN = 60;

/**
 * Read what an evaluation found.
 *
 * @param {string} id of its job
 * @returns {Promise<{id: string, job: object, report: object, model: object, datasets: Array<{id: string, name: string}>}>}
 */
export async function loadEvaluation(id) {
  const job = await call("GET", `/api/v1/jobs/${id}`);
  if (job.state !== "succeeded") return { id, job, report: null, model: null, datasets: [] };
  const [report, model, datasets] = await Promise.all([
    call("GET", `/api/v1/jobs/${id}/artifacts/report.json`),
    call("GET", `/api/v1/models/${job.result.model_id}`),
    datasetsOf(job),
  ]);
  return { id, job, report, model, datasets };
}

/** Find the data sets that a job's features came from, those that are still there. */
export async function datasetsOf({ request: asked }) {
  const found = await Promise.all(asked.data.map(({ job: extraction }) => datasetOf(extraction)));
  return [...new Map(found.filter(Boolean).map((dataset) => [dataset.id, dataset])).values()];
}

/**
 * Find the photographs that show one letter and were read as another, the surest answers first.
 *
 * @returns {Promise<{photographs: Array<{dataset: string, sample: object, confidence: number}>, nRows: number}>}
 *   `nRows` counts those of which no photograph is left, too
 */
export async function photographsOf(evaluation, letter, answer) {
  const rows = (await answersOf(evaluation.id)).filter((row) => row.letter === letter && row.answer === answer);
  const sure = new Map(rows.toSorted((one, other) => other.confidence - one.confidence).slice(0, SHOWN).map((row) => [row.sha256, row.confidence]));
  const query = new URLSearchParams([["limit", SHOWN], ...[...sure.keys()].map((sha256) => ["sha256", sha256])]);
  const pages = await Promise.all(evaluation.datasets.map(async ({ id }) => {
    const { items } = await call("GET", `/api/v1/datasets/${id}/samples?${query}`);
    return items.map((sample) => ({ dataset: id, sample, confidence: sure.get(sample.sha256) }));
  }));
  return { photographs: pages.flat().toSorted((one, other) => other.confidence - one.confidence), nRows: rows.length };
}

const answers = new Map(); // of each evaluation, once it was asked for

function answersOf(id) {
  if (!answers.has(id)) answers.set(id, fetchAnswers(id).catch((error) => (answers.delete(id), Promise.reject(error))));
  return answers.get(id);
}

async function fetchAnswers(id) {
  const lines = await (await request("GET", `/api/v1/jobs/${id}/artifacts/answers.jsonl`)).text();
  return lines.split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

/** The data set of an extraction; null where it is there no more, or where the features came from elsewhere. */
async function datasetOf(jobId) {
  try {
    const { request: asked } = await call("GET", `/api/v1/jobs/${jobId}`);
    const { id, name } = await call("GET", `/api/v1/datasets/${asked.dataset}`);
    return { id, name };
  } catch (error) {
    if (error.status === 404 || error.status === 422) return null;
    throw error;
  }
}
