// The shell: which screen is shown, by the address's hash, and what stands around it.
import { needsKey, unreachable } from "./api.js";
import { effect, html, render, signal, useEffect, useRef } from "./html.js";
import { LiveScreen } from "./live/screen.js";
import { ProblemNote } from "./parts.js";
import { KeyForm } from "./system.js";
import { chooseLanguage, language, text } from "./text.js";
import { LANGUAGES } from "./texts/languages.js";

const RETRY_MS = 3000;

const route = signal(parse());
const theme = signal(document.documentElement.dataset.theme ?? "");
const systemColours = matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(systemColours.matches);
const loaded = signal({ live: LiveScreen });
const missing = signal(null); // the screen that could not be loaded
let lost = null; // why
const loaders = {
  practice: async () => (await import("./practice/screen.js")).PracticeScreen,
  teach: async () => (await import("./teach/screen.js")).TeachScreen,
  train: async () => (await import("./train/screen.js")).TrainScreen,
  evaluate: async () => (await import("./evaluate/screen.js")).EvaluateScreen,
  models: async () => (await import("./models/screen.js")).ModelsScreen,
  jobs: async () => (await import("./jobs/screen.js")).JobsScreen,
  system: async () => (await import("./system.js")).SystemScreen,
};

addEventListener("hashchange", () => (route.value = parse()));
systemColours.addEventListener("change", ({ matches }) => (isSystemDark.value = matches));

effect(() => {
  const { name } = route.value;
  document.title = `${text.screens[name]} – ${text.title}`;
  load(name);
});

/** Load a screen when it is first shown; where that fails, again and again while it is wanted. */
function load(name) {
  if (missing.peek() !== name) missing.value = null;
  if (loaded.peek()[name]) return;
  loaders[name]().then(
    (screen) => {
      loaded.value = { ...loaded.peek(), [name]: screen };
      if (missing.peek() === name) missing.value = null;
    },
    () => {
      if (route.peek().name !== name) return;
      lost = unreachable();
      missing.value = name;
      setTimeout(() => missing.peek() === name && load(name), RETRY_MS);
    },
  );
}

function parse() {
  const [name, ...rest] = location.hash.slice(2).split("/").map(decodeURIComponent);
  return name in text.screens ? { name, rest } : { name: "live", rest: [] };
}

function App() {
  const { name, rest } = route.value;
  const Screen = loaded.value[name];
  const main = useRef(null);
  const isFirst = useRef(true);
  const links = useRef(null);
  useEffect(() => {
    // Readers of screens are taken to the new screen, as a new page would.
    if (!isFirst.current) main.current.focus({ preventScroll: true });
    isFirst.current = false;
    scrollTo(0, 0);
    links.current.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [name]);
  return html`
    <a class="skip" href="#main" onClick=${(event) => (event.preventDefault(), main.current.focus())}>${text.skip}</a>
    <nav class="bar" aria-label=${text.menu}>
      <a class="brand" href="#/live"><img src="/page/icon.svg" alt="" width="28" height="28" />${text.brand}</a>
      <div class="links" ref=${links}>
        ${Object.entries(text.screens).map(([id, title]) => html`<a key=${id} href="#/${id}"
          aria-current=${id === name ? "page" : null}>${title}</a>`)}
      </div>
      <select class="quiet language" aria-label=${text.language} value=${language} onChange=${({ target }) => chooseLanguage(target.value)}>
        ${Object.entries(LANGUAGES).map(([code, name]) => html`<option key=${code} value=${code} lang=${code}>${name}</option>`)}</select>
      <button class="quiet theme" onClick=${switchTheme} aria-label=${text.theme.label}>
        ${isDark() ? text.theme.light : text.theme.dark}</button>
    </nav>
    <main id="main" ref=${main} tabindex="-1" key=${name} data-screen=${name}>
      ${needsKey.value && name !== "system" && html`<section class="card key"><${KeyForm} /></section>`}
      ${Screen && html`<${Screen} rest=${rest} />`}
      ${!Screen && missing.value !== name && html`<p class="loading" role="status">${text.loading}</p>`}
      ${missing.value === name && html`<${ProblemNote} problem=${lost} />
        <p class="under"><button onClick=${() => location.reload()}>${text.reload}</button></p>`}
    </main>`;
}

function isDark() {
  return (theme.value || (isSystemDark.value ? "dark" : "light")) === "dark";
}

function switchTheme() {
  theme.value = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = theme.value;
  localStorage.setItem("theme", theme.value);
}

const place = document.getElementById("app");
place.replaceChildren(); // what stood there until all had come
render(html`<${App} />`, place);
sessionStorage.removeItem("reloads");
