// What cannot wait for the modules: the chosen colours, so that nothing flashes, and what is said where they do not come.
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;

addEventListener("error", ({ target }) => {
  if (target.tagName !== "SCRIPT") return;
  const note = document.createElement("p");
  note.className = "problem";
  note.setAttribute("role", "alert");
  note.textContent = "The page did not come whole. Load it again; if that does not help, look whether the service is still running.";
  document.getElementById("app").replaceChildren(note);
}, true);
