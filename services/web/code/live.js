// Reading letters from code.

/** Photographs over HTTP and the client, a camera's hands over the live socket. */
export const readingCode = (origin, host) => ({
  curl: `curl -F "file=@sign.jpg" ${origin}/api/v1/asl/recognitions`,
  python: `from pathlib import Path

from asl.client import Client

with Client("${origin}") as client:
    print(client.recognize(Path("sign.jpg")).letter)`,
  js: `const socket = new WebSocket("ws://${host}/api/v1/asl/live", "asl.live.v1");
socket.onmessage = ({ data }) => console.log(JSON.parse(data));
socket.onopen = () => socket.send(JSON.stringify({
  type: "landmarks", seq: 1, landmarks, // 21 x [x, y, z] of MediaPipe
  image_width: 640, image_height: 480, handedness: "right",
}));`,
});
