// What components are written with: preact, htm and signals under one roof.
import htm from "htm";
import { Fragment, h, render } from "preact";

export { computed, effect, signal, useComputed, useSignal, useSignalEffect } from "@preact/signals";
export { useEffect, useMemo, useRef, useState } from "preact/hooks";
export { Fragment, render };

export const html = htm.bind(h);
