// The hand's points in photographs, found here, one after another, once each.
import { handFinder } from "../live/hand-finder.js";

const found = new Map(); // SHA-256 of the photograph -> promise of what was found
let last = Promise.resolve();

/**
 * Find the hand in a picture that is shown.
 *
 * @param {HTMLImageElement} image that has loaded
 * @param {string} sha256 of its file
 * @returns {Promise<import("../live/hand-finder.js").Found>}
 */
export function pointsOf(image, sha256) {
  if (!found.has(sha256)) {
    last = last.catch(() => {}).then(() => find(image));
    found.set(sha256, last);
    last.catch(() => found.delete(sha256));
  }
  return found.get(sha256);
}

async function find(image) {
  const finder = handFinder("IMAGE");
  await finder.ready;
  return finder.find(await createImageBitmap(image));
}
