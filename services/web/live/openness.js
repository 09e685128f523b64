// Whether a hand is open, all five fingers stretched out: a sign of no letter, which ends a word. Pure.

const FINGERS = [5, 9, 13, 17]; // where their four points begin, the index finger's first
const STRAIGHT = 0.9; // from knuckle to tip, of the way along the finger
const THUMB_OUT = 1.4; // from the little finger's knuckle to the thumb's tip, of the palm's width: B lays it across

/**
 * @param {ArrayLike<number>|null} points 21 x (x, y, z), x and y in [0, 1] of the picture, z on x's scale
 * @param {number} width of the picture
 * @param {number} height
 */
export function isOpen(points, width, height) {
  if (!points) return false;
  const distance = (one, other) => Math.hypot(
    (points[3 * one] - points[3 * other]) * width,
    (points[3 * one + 1] - points[3 * other + 1]) * height,
    (points[3 * one + 2] - points[3 * other + 2]) * width,
  );
  const isStraight = (first) => {
    const along = distance(first, first + 1) + distance(first + 1, first + 2) + distance(first + 2, first + 3);
    return distance(first, first + 3) >= STRAIGHT * along && distance(0, first + 3) > distance(0, first + 1);
  };
  return FINGERS.every(isStraight) && distance(4, 17) >= THUMB_OUT * distance(5, 17);
}
