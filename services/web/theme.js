// What cannot wait for the modules: the chosen colours, so that nothing flashes, and what is done where they do not come.
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

const LOOK_EVERY_MS = 2000;
const MOST_RELOADS = 3; // in a row: what is broken for good stays so
const RELOADS = "reloads"; // forgotten by app.js, once it is there

addEventListener("error", onError, true);

/** A file of the page did not come: a breath of the network is enough. It is loaded again once the service answers. */
function onError({ target }) {
  const place = document.getElementById("app");
  if ((target !== window && target.tagName !== "SCRIPT") || !place?.querySelector(":scope > .loading")) return;
  const note = document.createElement("p");
  note.className = "problem";
  note.setAttribute("role", "alert");
  note.textContent = "The page did not come whole. Load it again; if that does not help, look whether the service is still running.";
  place.replaceChildren(note);
  const nReloads = Number(sessionStorage.getItem(RELOADS));
  if (nReloads >= MOST_RELOADS) return;
  const timer = setInterval(async () => {
    const answer = await fetch("/healthz").catch(() => null);
    if (!answer?.ok) return;
    clearInterval(timer);
    sessionStorage.setItem(RELOADS, nReloads + 1);
    location.reload();
  }, LOOK_EVERY_MS);
}
