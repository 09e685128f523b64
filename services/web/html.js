// What components are written with: preact, htm and signals under one roof.
import htm from "htm";
import { h } from "preact";

export { batch, effect, signal } from "@preact/signals";
export { render } from "preact";
export { useEffect, useMemo, useRef, useState } from "preact/hooks";

export const html = htm.bind(h);
