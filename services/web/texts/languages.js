// The languages of the page: a folder beside this file, and a line here. CONTRIBUTING.md tells how to add one.

/** Code of a language -> what those who read it call it. */
export const LANGUAGES = {
  en: "English",
  es: "Español",
};
