// Letters held to a word: pure, told the time by its caller.

/** Adds a letter that is held for a while, once, and a space after a pause; or whole words, as they are read. */
export class Speller {
  text = "";
  /** How much of the hold has passed, in [0, 1]. */
  progress = 0;
  #history = [];
  #letter = null;
  #sinceMs = 0;
  #isAdded = false;
  #hasSpaced = true;
  #before = null; // the text before the word that is being read

  constructor({ holdMs = 700, pauseMs = 1500 } = {}) {
    Object.assign(this, { holdMs, pauseMs });
  }

  /**
   * Look at what is shown now.
   *
   * @param {string|null} letter held steadily, or null
   * @param {boolean} isHandThere
   * @param {number} nowMs
   * @returns {boolean} whether the text has changed
   */
  see(letter, isHandThere, nowMs) {
    const shown = letter ?? (isHandThere ? null : "");
    if (shown !== this.#letter) {
      this.#letter = shown;
      this.#sinceMs = nowMs;
      this.#isAdded = false;
      this.progress = 0;
    }
    const heldMs = nowMs - this.#sinceMs;
    if (shown) return this.#hold(shown, heldMs);
    this.progress = 0;
    return shown === "" && this.#pause(heldMs);
  }

  /**
   * Put down a word as it is read so far, in place of what was read of it before.
   *
   * @param {string} word
   * @param {boolean} isEnd whether it is over
   */
  read(word, isEnd) {
    const before = this.#before ?? (this.text && !this.text.endsWith(" ") ? `${this.text} ` : this.text);
    if (this.#before === null && word) this.#history.push(this.text);
    this.text = before + word + (isEnd && word ? " " : "");
    this.#before = isEnd ? null : before;
    this.#hasSpaced = true;
    this.progress = 0;
  }

  /** Take another word for the last one. */
  replace(word) {
    this.type(`${this.text.replace(/\S+\s*$/, "")}${word} `);
  }

  type(text) {
    this.#before = null;
    if (text === this.text) return;
    this.#history.push(this.text);
    this.text = text;
    this.#hasSpaced = text === "" || text.endsWith(" ");
  }

  space() {
    this.type(`${this.text} `);
  }

  backspace() {
    this.type([...this.text].slice(0, -1).join(""));
  }

  clear() {
    this.type("");
  }

  undo() {
    this.#before = null;
    if (!this.#history.length) return;
    this.text = this.#history.pop();
    this.#hasSpaced = this.text === "" || this.text.endsWith(" ");
  }

  #hold(letter, heldMs) {
    this.progress = this.#isAdded ? 1 : Math.min(1, heldMs / this.holdMs);
    if (this.#isAdded || heldMs < this.holdMs) return false;
    this.#isAdded = true;
    this.type(this.text + letter);
    return true;
  }

  #pause(heldMs) {
    if (this.#hasSpaced || heldMs < this.pauseMs) return false;
    this.space();
    return true;
  }
}
