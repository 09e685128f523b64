// The page's texts in the language of the reader: the one chosen here, or the first of the browser's that there is.
import { LANGUAGES } from "./texts/languages.js";

const KEY = "language";
const wanted = [localStorage.getItem(KEY), ...navigator.languages].filter(Boolean);
const codeOf = (tag) => tag.toLowerCase().split("-")[0];

/** Its code, such as "en". */
export const language = wanted.map(codeOf).find((code) => code in LANGUAGES) ?? "en";

/** With the reader's region where they are of it: what figures and dates are written by. */
export const locale = navigator.languages.find((tag) => codeOf(tag) === language) ?? language;

document.documentElement.lang = language;

/** All texts of `texts/en/index.js`, in this language. */
export const { text } = await import(`./texts/${language}/index.js`);

/** Take another language: the page is loaded anew, for each text is read once. */
export function chooseLanguage(code) {
  localStorage.setItem(KEY, code);
  location.reload();
}
