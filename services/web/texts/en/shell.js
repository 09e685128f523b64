// What stands on every screen.
export const shell = {
  title: "ASL fingerspelling",
  brand: "ASL",
  menu: "Screens",
  skip: "Skip to the content",
  close: "Close",
  copy: "Copy",
  copied: "Copied",
  save: "Save",
  now: "just now",
  theme: { label: "Switch between light and dark", light: "Light", dark: "Dark" },
  screens: { live: "Live", practice: "Practice", teach: "Teach", train: "Train", evaluate: "Evaluate", models: "Models", jobs: "Jobs", system: "System" },
  language: "Language of this page",
  unreachable: ["The service does not answer", "Is it still running? This page looks for it."],
  loading: "Loading …",
  reload: "Load the page again",
  code: { title: "Do this from code", language: "Language", key: "Calls need the API key, too: Client(…, api_key=\"…\"), or the header Authorization: Bearer …" },
};
