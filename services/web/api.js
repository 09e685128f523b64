// The public API: one call, its problems, and a job's events; nothing here knows of screens.
import { signal } from "./html.js";
import { text } from "./text.js";

const KEY = "asl-api-key";
const LOOK_EVERY_MS = 2000;

/** The API key, where the service asks for one; it stays in this browser. */
export const apiKey = signal(localStorage.getItem(KEY) ?? "");

/** Whether a call was refused for want of a key. */
export const needsKey = signal(false);

/** Whether the service has not answered lately. */
export const isAway = signal(false);

/** How often the service came back, or another key was given: what was asked for meanwhile is to be asked for again. */
export const nReturns = signal(0);

export function setApiKey(value) {
  apiKey.value = value.trim();
  needsKey.value = false;
  nReturns.value += 1;
  if (apiKey.value) localStorage.setItem(KEY, apiKey.value);
  else localStorage.removeItem(KEY);
}

/** Why a call was not answered, as RFC 9457 has it. */
export class Problem extends Error {
  constructor({ status = 0, code = "unknown", detail = "", hint = "", ...rest } = {}) {
    super(detail);
    Object.assign(this, { status, code, detail, hint, rest });
  }
}

/** Note that nobody answers, and look for the service until it is back; returns the problem. */
export function unreachable() {
  if (!isAway.value) lookForService();
  isAway.value = true;
  return new Problem({ code: "unreachable", detail: text.unreachable[0], hint: text.unreachable[1] });
}

function lookForService() {
  const timer = setInterval(async () => {
    const answer = await fetch("/healthz").catch(() => null);
    if (!answer?.ok || !isAway.value) return;
    clearInterval(timer);
    isAway.value = false;
    nReturns.value += 1;
  }, LOOK_EVERY_MS);
}

/**
 * Call the API.
 *
 * @param {string} method
 * @param {string} path with its query
 * @param {{json?: object, body?: BodyInit, headers?: object, signal?: AbortSignal}} options
 * @returns {Promise<Response>} answered with a status below 400
 * @throws {Problem}
 */
export async function request(method, path, { json, body, headers = {}, signal: abort } = {}) {
  const sent = { ...headers };
  if (apiKey.value) sent.Authorization = `Bearer ${apiKey.value}`;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(path, { method, headers: sent, body: json === undefined ? body : JSON.stringify(json), signal: abort });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
  if (answer.ok) return answer;
  if (answer.status === 401) needsKey.value = true;
  throw new Problem(await answer.json().catch(() => ({ status: answer.status, detail: answer.statusText || `HTTP ${answer.status}` })));
}

/** Call the API and read the JSON of its answer. */
export async function call(method, path, options) {
  const answer = await request(method, path, options);
  return answer.status === 204 ? null : answer.json();
}

/**
 * Send a file and tell meanwhile how much of it has gone, which `fetch` does not.
 *
 * @param {string} path
 * @param {Blob} file
 * @param {string} type its media type
 * @param {(share: number) => void} onSent
 * @returns {Promise<object>} the JSON of the answer
 * @throws {Problem}
 */
export function upload(path, file, type, onSent) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("POST", path);
    sending.responseType = "json";
    sending.setRequestHeader("Content-Type", type);
    if (apiKey.value) sending.setRequestHeader("Authorization", `Bearer ${apiKey.value}`);
    sending.upload.onprogress = ({ loaded, total }) => onSent(loaded / total);
    sending.onerror = () => reject(unreachable());
    sending.onload = () => {
      if (sending.status < 400) resolve(sending.response);
      else reject(new Problem(sending.response ?? { status: sending.status, detail: `HTTP ${sending.status}` }));
    };
    sending.send(file);
  });
}

/** Read all pages of a list, up to a number of items. */
export async function list(path, limit = 500) {
  const items = [];
  let cursor = null;
  do {
    const separator = path.includes("?") ? "&" : "?";
    const page = await call("GET", `${path}${separator}limit=${Math.min(limit, 200)}${cursor ? `&cursor=${cursor}` : ""}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor && items.length < limit);
  return items;
}

/** A header that makes a call safe to send again. */
export const once = () => ({ "Idempotency-Key": crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}` });

/** Give a file to the user: with the key where there is one, which a plain link could not send. */
export async function download(path, name) {
  const url = URL.createObjectURL(await (await request("GET", path)).blob());
  const link = Object.assign(document.createElement("a"), { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Read a form's picture: `POST /api/v1/asl/recognitions`. */
export function recognize(blob) {
  const body = new FormData();
  body.append("file", blob, blob.name ?? "picture.jpg");
  return call("POST", "/api/v1/asl/recognitions", { body });
}
