// Photographs into a data set: one by one, from folders, or as archives.
import { call, Problem, upload } from "../api.js";
import { text } from "../text.js";

const AT_ONCE = 3;
const ARCHIVES = { ".zip": "application/zip", ".tar.gz": "application/gzip", ".tgz": "application/gzip", ".tar": "application/x-tar" };
const PICTURE = /\.(jpe?g|png|webp|gif|bmp|tiff?)$/i;

/** Add one photograph; returns its sample. */
export function addPhotograph(dataset, blob, name, label, signer) {
  const body = new FormData();
  body.append("file", blob, name);
  body.append("label", label);
  body.append("signer", signer);
  return call("POST", `/api/v1/datasets/${encodeURIComponent(dataset)}/samples`, { body });
}

/**
 * Read what was dropped or chosen: archives, and pictures whose folders tell letter and signer.
 *
 * @param {DataTransfer|HTMLInputElement} source
 * @returns {Promise<Array<{file: File, path: string}>>}
 */
export async function filesOf(source) {
  const entries = [...(source.items ?? [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...source.files].map((file) => ({ file, path: file.webkitRelativePath || file.name }));
  return (await Promise.all(entries.map(walk))).flat();
}

/**
 * Add files; tells how far it is: how many are done, and the shares of large ones that have been sent.
 *
 * @param {string} dataset
 * @param {Array<{file: File, path: string}>} files
 * @param {{label: string, signer: string}} usual for pictures that lie in no folder
 * @param {(state: {done: number, underWay: number, total: number, nAdded: number, nThere: number, refused: Array}) => void} tell
 */
export async function addFiles(dataset, files, usual, tell) {
  const wanted = files.filter(({ path }) => PICTURE.test(path) || mediaType(path));
  const state = { done: 0, underWay: 0, total: wanted.length, nAdded: 0, nThere: 0, refused: [] };
  const queue = [...wanted];
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      let sent = 0;
      const onSent = (share) => {
        state.underWay += share - sent;
        sent = share;
        tell({ ...state });
      };
      await addOne(dataset, next, usual, state, onSent).catch((error) => state.refused.push({ name: next.path, reason: error.message }));
      state.underWay -= sent;
      state.done += 1;
      tell({ ...state });
    }
  };
  tell({ ...state });
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return state;
}

async function addOne(dataset, { file, path }, usual, state, onSent) {
  const type = mediaType(path);
  if (type) {
    const added = await upload(`/api/v1/datasets/${encodeURIComponent(dataset)}/archive`, file, type, onSent);
    state.nAdded += added.n_added;
    state.nThere += added.n_already_there;
    state.refused.push(...added.skipped);
    return;
  }
  const folders = path.split("/").slice(0, -1);
  const isLetterless = folders.length === 1 && usual.label && folders[0].length > 1; // a folder of one letter's pictures
  const label = isLetterless ? usual.label : folders.at(-1) ?? usual.label;
  if (!label) throw new Problem({ detail: text.teach.noFolder });
  const sample = await addPhotograph(dataset, file, file.name, label, folders.length > 2 ? folders.at(-2) : usual.signer);
  if (Date.now() - new Date(sample.created_at) > 60_000) state.nThere += 1;
  else state.nAdded += 1;
}

const mediaType = (path) => Object.entries(ARCHIVES).find(([ending]) => path.toLowerCase().endsWith(ending))?.[1];

async function walk(entry) {
  if (entry.isFile) return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path: entry.fullPath.slice(1) }];
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at a time
    if (!some.length) break;
    found.push(...some);
  }
  return (await Promise.all(found.map(walk))).flat();
}
