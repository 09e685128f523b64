// Draws a hand's 21 points and their connections over its picture.

const CONNECTIONS = [
  [0, 1], [1, 2], [2, 3], [3, 4], [0, 5], [5, 6], [6, 7], [7, 8], [5, 9], [9, 10], [10, 11], [11, 12],
  [9, 13], [13, 14], [14, 15], [15, 16], [13, 17], [0, 17], [17, 18], [18, 19], [19, 20],
];
const TIPS = new Set([4, 8, 12, 16, 20]);
const LINE = "rgb(255 255 255 / 92%)";
const SHADE = "rgb(10 20 30 / 45%)";
const JOINT = "#56B4E9";
const MARKED = "#E69F00";
const DIGITS = { thumb: 1, index: 5, middle: 9, ring: 13, pinky: 17 }; // where their four points begin

/**
 * Draw, or clear where there is no hand.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Float32Array|number[]|null} points 21 x (x, y, z), x and y in [0, 1]
 * @param {number} width of the picture, in pixels
 * @param {number} height
 * @param {{thickness?: number, marked?: string|null}} look thickness of lines and joints: more than 1 for pictures that
 *   are shown small; the part of the hand, as explanations name it, that is drawn in another colour
 */
export function drawSkeleton(canvas, points, width, height, { thickness = 1, marked = null } = {}) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, width, height);
  if (!points) return;
  const unit = (thickness * Math.max(width, height)) / 640;
  const at = (index) => [points[3 * index] * width, points[3 * index + 1] * height];
  pen.lineCap = "round";
  const some = marked ? CONNECTIONS.filter((ends) => ends.every((index) => isMarked(index, marked))) : [];
  for (const [colour, lineWidth, connections] of [[SHADE, 7, CONNECTIONS], [LINE, 3.5, CONNECTIONS], [MARKED, 5, some]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = lineWidth * unit;
    pen.beginPath();
    for (const [from, to] of connections) {
      pen.moveTo(...at(from));
      pen.lineTo(...at(to));
    }
    pen.stroke();
  }
  for (let index = 0; index < 21; index += 1) {
    pen.beginPath();
    pen.arc(...at(index), (TIPS.has(index) ? 6 : 4.5) * unit, 0, 2 * Math.PI);
    pen.fillStyle = isMarked(index, marked) ? MARKED : JOINT;
    pen.fill();
    pen.lineWidth = 1.5 * unit;
    pen.strokeStyle = "#fff";
    pen.stroke();
  }
}

/** Whether a point is of a part: "index", "index_and_middle", "hand". */
function isMarked(index, part) {
  if (!part) return false;
  return part === "hand" || part.split("_and_").some((digit) => index >= DIGITS[digit] && index < DIGITS[digit] + 4);
}
