// Whether photographs that are being taken differ: pure, on 21 landmarks each.

const NEAR = 0.06; // of the picture's longer side, for all points on average
const N_LOOKED_AT = 8;
const TELLING_SHARE = 0.7;

/** Looks at the hands of one letter as they are taken, and tells when they are nearly all alike. */
export class Diversity {
  #hands = [];
  #isNear = [];

  /** @param {ArrayLike<number>} points 21 x (x, y, z), x and y in [0, 1] */
  add(points, width, height) {
    const side = Math.max(width, height);
    const hand = Array.from({ length: 21 }, (_, index) => [(points[3 * index] * width) / side, (points[3 * index + 1] * height) / side]);
    this.#isNear.push(this.#hands.some((other) => distance(hand, other) < NEAR));
    this.#hands.push(hand);
  }

  /** Whether most of the last ones look like one taken before: place, size, turn and fingers are much the same. */
  get isPoor() {
    const last = this.#isNear.slice(-N_LOOKED_AT);
    return last.length === N_LOOKED_AT && last.filter(Boolean).length >= TELLING_SHARE * N_LOOKED_AT;
  }
}

function distance(one, other) {
  return one.reduce((sum, [x, y], index) => sum + Math.hypot(x - other[index][0], y - other[index][1]), 0) / one.length;
}
