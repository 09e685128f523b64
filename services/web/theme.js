// Sets the chosen colours before anything is drawn, so that nothing flashes; a classic script, since modules wait.
const theme = localStorage.getItem("theme");
if (theme) document.documentElement.dataset.theme = theme;
