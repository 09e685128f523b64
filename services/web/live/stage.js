// The mirrored camera with the hand's skeleton over it.
import { html, signal, useEffect, useRef } from "../html.js";
import { text } from "../text.js";
import { HandCamera } from "./camera.js";
import { drawSkeleton } from "./skeleton.js";

/**
 * Shows the camera while it is mounted.
 *
 * @param {{onFound: Function, onProblem: Function, cameraRef?: object, marked?: string|null}} props `onFound` gets each
 *   hand, or its absence; `onProblem` an error; `cameraRef` the camera; `marked` what of the hand is drawn in another
 *   colour; `children` are laid over the picture.
 */
export function Stage({ onFound, onProblem, cameraRef, marked, children }) {
  const video = useRef(null);
  const canvas = useRef(null);
  const phase = useRef(signal("starting")).current;
  const handlers = useRef({});
  handlers.current = { onFound, onProblem, marked };
  useEffect(() => {
    const fail = (error) => handlers.current.onProblem(error);
    const camera = new HandCamera(video.current, (found) => {
      if (!canvas.current) return; // it has left, and its end is yet to be told to the camera
      phase.value = "on";
      drawSkeleton(canvas.current, found.points, found.width, found.height, { marked: handlers.current.marked });
      handlers.current.onFound(found, camera);
    }, fail);
    if (cameraRef) cameraRef.current = camera;
    let isGone = false;
    camera.start().then(() => isGone && camera.stop(), (error) => isGone || fail(error));
    return () => {
      isGone = true;
      camera.stop();
    };
  }, []);
  return html`<div class="stage">
    <div class="mirror">
      <video ref=${video} playsinline muted aria-label=${text.live.video}></video>
      <canvas ref=${canvas} aria-hidden="true"></canvas>
    </div>
    ${phase.value === "starting" && html`<div class="wait" role="status"><span class="spinner"></span>${text.live.starting}</div>`}
    ${children}
  </div>`;
}

/** Say in words why there is no camera, or no hand to be found. */
export function cameraProblem(error) {
  const said = text.camera[error.name];
  return said ? { detail: said[0], hint: said[1] } : { detail: text.camera.failed(error.message), hint: text.camera.failedHint };
}
