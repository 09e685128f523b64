// What is practised: letters one after another, and when one is right; pure, told the time by its caller.

const RIGHT_AFTER_MS = 500;
const NEXT_AFTER_MS = 900;

export class Course {
  index = 0;
  nRight = 0;
  isRight = false;
  #sinceMs = null;

  /** @param {string[]} letters to show, in order */
  constructor(letters) {
    this.letters = letters;
  }

  get letter() {
    return this.letters[this.index] ?? null;
  }

  get isDone() {
    return this.index >= this.letters.length;
  }

  /**
   * Look at the letter that is held now.
   *
   * @returns {boolean} whether anything has changed
   */
  see(letter, nowMs) {
    if (this.isDone) return false;
    if (this.isRight) return nowMs - this.#sinceMs >= NEXT_AFTER_MS && this.next();
    if (letter !== this.letter) {
      this.#sinceMs = null;
      return false;
    }
    this.#sinceMs ??= nowMs;
    if (nowMs - this.#sinceMs < RIGHT_AFTER_MS) return false;
    this.isRight = true;
    this.nRight += 1;
    this.#sinceMs = nowMs;
    return true;
  }

  next() {
    this.index += 1;
    this.isRight = false;
    this.#sinceMs = null;
    return true;
  }
}

/** Draw letters in random order, as often as asked, never one twice in a row. */
export function drawLetters(alphabet, count, random = Math.random) {
  const drawn = [];
  while (drawn.length < count) {
    const bag = [...alphabet];
    while (bag.length && drawn.length < count) {
      const [letter] = bag.splice(Math.floor(random() * bag.length), 1);
      if (letter === drawn.at(-1)) bag.push(letter);
      else drawn.push(letter);
      if (bag.length === 1 && bag[0] === drawn.at(-1)) break;
    }
  }
  return drawn;
}
