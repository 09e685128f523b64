// Finds the hand in video frames, off the main thread, so that the page stays smooth.
import { FilesetResolver, HandLandmarker } from "/page/vendor/vision.mjs";

const FILES = "/page/wasm/vision_wasm_module_internal";
const MODEL = "/page/hand_landmarker.task";

const landmarker = load();
landmarker.then(
  () => postMessage({ type: "ready" }),
  (error) => postMessage({ type: "failed", message: String(error?.message ?? error) }),
);

onmessage = async ({ data: { seq, bitmap, atMs } }) => {
  try {
    const started = performance.now();
    const { width, height } = bitmap;
    const found = (await landmarker).detectForVideo(bitmap, atMs);
    postMessage({ type: "hand", seq, width, height, ms: performance.now() - started, ...firstOf(found) });
  } catch (error) {
    postMessage({ type: "failed", message: String(error?.message ?? error) });
  } finally {
    bitmap.close();
  }
};

async function load() {
  // Named outright: the library's own choice looks for a build without modules where there is no SIMD.
  const fileset = { wasmLoaderPath: `${FILES}.js`, wasmBinaryPath: `${FILES}.wasm` };
  return HandLandmarker.createFromOptions(fileset, {
    baseOptions: { modelAssetPath: MODEL, delegate: "CPU" },
    runningMode: "VIDEO",
    numHands: 1,
  });
}

/** The points as one array of 21 x (x, y, z), or null where no hand was seen. */
function firstOf(found) {
  const points = found.landmarks[0];
  if (!points) return { points: null, side: null };
  const flat = new Float32Array(points.length * 3);
  points.forEach(({ x, y, z }, index) => flat.set([x, y, z], 3 * index));
  return { points: flat, side: found.handedness[0][0].categoryName.toLowerCase() };
}
