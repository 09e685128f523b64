// Finds the hand in frames, off the main thread, so that the page stays smooth; its name is the running mode.
import { HandLandmarker } from "/page/vendor/vision.mjs";

const FILES = "/page/wasm/vision_wasm_module_internal";
const MODEL = "/page/hand_landmarker.task";
const WARM_UP = "/page/samples/A.jpg";

const isVideo = self.name === "VIDEO";
const landmarker = load();
landmarker.then(
  () => postMessage({ type: "ready" }),
  (error) => postMessage({ type: "failed", message: String(error?.message ?? error) }),
);

const again = new MessageChannel();
again.port1.onmessage = readNewest;
let newest = null; // the camera's frame that is read next

onmessage = ({ data }) => {
  if (!isVideo) {
    read(data);
    return;
  }
  // What came while a frame was read is told first, one by one: only then is it known which is the newest.
  if (newest) passOver(newest);
  else again.port2.postMessage(null);
  newest = data;
};

function readNewest() {
  const frame = newest;
  newest = null;
  read(frame);
}

function passOver({ seq, bitmap }) {
  bitmap.close();
  postMessage({ type: "passed", seq });
}

async function read({ seq, bitmap, atMs }) {
  try {
    const found = await landmarker;
    const started = performance.now();
    const { width, height } = bitmap;
    const hand = firstOf(isVideo ? found.detectForVideo(bitmap, atMs) : found.detect(bitmap));
    postMessage({ type: "hand", seq, width, height, ms: performance.now() - started, ...hand });
  } catch (error) {
    postMessage({ type: "failed", message: String(error?.message ?? error) });
  } finally {
    bitmap.close();
  }
}

async function load() {
  const warmUp = drawnHand();
  // Named outright: the library's own choice looks for a build without modules where there is no SIMD.
  const fileset = { wasmLoaderPath: `${FILES}.js`, wasmBinaryPath: `${FILES}.wasm` };
  const made = await HandLandmarker.createFromOptions(fileset, {
    baseOptions: { modelAssetPath: MODEL, delegate: "CPU" },
    runningMode: self.name,
    numHands: 1,
  });
  const hand = await warmUp;
  if (hand) warm(made, hand);
  return made;
}

/** Let both networks compute once: the first time takes as long as twenty frames. */
function warm(made, hand) {
  if (!isVideo) {
    made.detect(hand);
    return;
  }
  made.detectForVideo(hand, 1);
  const blank = new OffscreenCanvas(hand.width, hand.height);
  blank.getContext("2d").fillRect(0, 0, blank.width, blank.height);
  made.detectForVideo(blank, 2); // no hand: it must not look for the drawn one in the camera's first frame
}

async function drawnHand() {
  const answer = await fetch(WARM_UP);
  return answer.ok ? createImageBitmap(await answer.blob()) : null;
}

/** The points as one array of 21 x (x, y, z), or null where no hand was seen. */
function firstOf(found) {
  const points = found.landmarks[0];
  if (!points) return { points: null, side: null };
  const flat = new Float32Array(points.length * 3);
  points.forEach(({ x, y, z }, index) => flat.set([x, y, z], 3 * index));
  return { points: flat, side: found.handedness[0][0].categoryName.toLowerCase() };
}
