// What a data set lacks: pure, on its counts.
import { text } from "../text.js";

const ENOUGH = 30;
const UNEVEN = 4;
const MOST_NAMED = 8;
const ENOUGH_SIGNERS = 3;

/** @param {Array<{label: string, signer: string, n_samples: number}>} counts */
export function hints(counts) {
  if (!counts.length) return [];
  const perLetter = sums(counts, "label");
  const perSigner = sums(counts, "signer");
  const [least, most] = [Math.min(...perLetter.values()), Math.max(...perLetter.values())];
  const signersOf = Map.groupBy(counts, (count) => count.label);
  const lonely = [...signersOf].filter(([, of]) => of.length < Math.min(2, perSigner.size)).map(([letter]) => letter).sort();
  const few = [...perLetter].filter(([, n]) => n < ENOUGH).map(([letter]) => letter).sort();
  return [
    perLetter.size < 2 && text.teach.hints.oneLetter,
    perSigner.size < 2 && text.teach.hints.oneSigner,
    perSigner.has("") && text.teach.hints.noSigner(perSigner.get("")),
    perSigner.size > 1 && perSigner.size < ENOUGH_SIGNERS && text.teach.hints.fewSigners(perSigner.size),
    lonely.length > 0 && text.teach.hints.lonely(lonely.slice(0, MOST_NAMED).join(" ")),
    few.length > 0 && text.teach.hints.few(few.slice(0, MOST_NAMED).join(" "), ENOUGH),
    most > UNEVEN * least && text.teach.hints.uneven(most, least),
  ].filter(Boolean);
}

function sums(counts, name) {
  const found = new Map();
  for (const count of counts) found.set(count[name], (found.get(count[name]) ?? 0) + count.n_samples);
  return found;
}
