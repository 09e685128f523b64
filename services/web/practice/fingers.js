// Two hands compared finger by finger: pure, on 21 landmarks each.

const FINGERS = { thumb: [1, 2, 3, 4], index: [5, 6, 7, 8], middle: [9, 10, 11, 12], ring: [13, 14, 15, 16], pinky: [17, 18, 19, 20] };
const WRIST = 0;
const MIDDLE_KNUCKLE = 9;
const PINKY_KNUCKLE = 17;
const DEGREES = 180 / Math.PI;

// How much of each is told: below, two hands of two people differ by as much.
const TELLING_BEND_DEGREES = 45;
const TELLING_SPREAD_DEGREES = 14;
const TELLING_REACH = 0.45;
const STRAIGHT_DEGREES = 60;

/**
 * Tell what differs most between a hand and the one it is to look like.
 *
 * @param {Array<number[]>} hand 21 x [x, y, z] in pixels, as `inPixels` returns them
 * @param {Array<number[]>} wanted
 * @returns {{finger: string, how: "straighten"|"bend"|"spread"|"close"|"tuck"|"out"}|null} null where they are alike
 */
export function largestDifference(hand, wanted) {
  const found = [...bendDifferences(hand, wanted), ...spreadDifferences(hand, wanted), reachDifference(hand, wanted)];
  const worst = found.reduce((most, one) => (one.weight > most.weight ? one : most));
  return worst.weight > 1 ? { finger: worst.finger, how: worst.how } : null;
}

/** Put landmarks on one scale: x and z by the picture's width, y by its height. */
export function inPixels(points, width, height) {
  return Array.from({ length: 21 }, (_, index) => [points[3 * index] * width, points[3 * index + 1] * height, points[3 * index + 2] * width]);
}

/** How far a finger is bent: the sum of its turns, in degrees; some 0 where it is straight, 200 in a fist. */
export function bend(hand, finger) {
  const joints = [WRIST, ...FINGERS[finger]].map((index) => hand[index]);
  let sum = 0;
  for (let index = 1; index < joints.length - 1; index += 1) {
    sum += angle(minus(joints[index], joints[index - 1]), minus(joints[index + 1], joints[index]));
  }
  return sum;
}

function bendDifferences(hand, wanted) {
  return Object.keys(FINGERS).map((finger) => {
    const difference = bend(hand, finger) - bend(wanted, finger);
    return { finger, how: difference > 0 ? "straighten" : "bend", weight: Math.abs(difference) / TELLING_BEND_DEGREES };
  });
}

/** How far neighbours that are straight in both hands stand apart. */
function spreadDifferences(hand, wanted) {
  return [["index", "middle"], ["middle", "ring"], ["ring", "pinky"]].map(([one, other]) => {
    const isTold = [hand, wanted].every((each) => [one, other].every((finger) => bend(each, finger) < STRAIGHT_DEGREES));
    const difference = isTold ? spread(hand, one, other) - spread(wanted, one, other) : 0;
    return { finger: `${one}-${other}`, how: difference > 0 ? "close" : "spread", weight: Math.abs(difference) / TELLING_SPREAD_DEGREES };
  });
}

function spread(hand, one, other) {
  const [from, to] = [one, other].map((finger) => minus(hand[FINGERS[finger][3]], hand[FINGERS[finger][0]]));
  return angle(from, to);
}

/** How far the thumb's tip is from the palm's other side, in lengths of the palm. */
function reachDifference(hand, wanted) {
  const reach = (each) => length(minus(each[FINGERS.thumb[3]], each[PINKY_KNUCKLE])) / length(minus(each[MIDDLE_KNUCKLE], each[WRIST]));
  const difference = reach(hand) - reach(wanted);
  return { finger: "thumb", how: difference > 0 ? "tuck" : "out", weight: Math.abs(difference) / TELLING_REACH };
}

const minus = (a, b) => a.map((value, index) => value - b[index]);
const length = (a) => Math.hypot(...a) || 1e-9;
const angle = (a, b) => DEGREES * Math.acos(Math.max(-1, Math.min(1, a.reduce((sum, value, index) => sum + value * b[index], 0) / (length(a) * length(b)))));
