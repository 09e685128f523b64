// The options of a training, as the API's own document describes them: with the words of the command line.
import { html, signal, useEffect } from "../html.js";
import { text } from "../text.js";

const schema = signal(null);

/** Fields for all options but those that have one already; `onChange` gets only what differs from the defaults. */
export function Options({ values, onChange }) {
  useEffect(() => {
    if (!schema.value) load();
  }, []);
  const set = (name, value) => {
    const { [name]: _, ...others } = values;
    onChange(value === undefined ? others : { ...others, [name]: value });
  };
  return html`<div class="options">${Object.entries(schema.value ?? {}).map(([name, property]) => html`<label key=${name} class="field">
    <code>--${name.replaceAll("_", "-")}</code>
    <${Field} name=${name} property=${property} value=${values[name]} onChange=${(value) => set(name, value)} />
    <small>${property.description}</small></label>`)}</div>`;
}

function Field({ name, property, value, onChange }) {
  const types = (property.anyOf ?? [property]).filter(({ type }) => type !== "null");
  const { type, enum: choices } = types[0];
  const usual = property.default;
  if (choices) {
    return html`<select value=${value ?? usual} onChange=${({ target }) => onChange(target.value === usual ? undefined : target.value)}>
      ${choices.map((choice) => html`<option key=${choice} value=${choice}>${choice}</option>`)}</select>`;
  }
  if (type === "boolean") {
    return html`<input type="checkbox" checked=${value ?? usual} onChange=${({ target }) => onChange(target.checked === usual ? undefined : target.checked)} />`;
  }
  if (type === "array") {
    return html`<input value=${(value ?? usual).join(" ")} inputmode="numeric" pattern="[0-9 ]+"
      onChange=${({ target }) => onChange(target.value.trim() === usual.join(" ") ? undefined : target.value.trim().split(/\s+/).map(Number))} />`;
  }
  const parse = (typed) => (typed === "" || Number(typed) === usual ? undefined : Number(typed));
  return html`<input type="number" step=${type === "integer" ? 1 : "any"} value=${value ?? usual ?? ""} placeholder=${text.train.unset[name] ?? ""}
    onChange=${({ target }) => onChange(parse(target.value))} />`;
}

async function load() {
  const { components } = await (await fetch("/openapi.json")).json();
  const { properties } = components.schemas.TrainingOptions;
  const resolve = (property) => {
    const name = (property.$ref ?? property.allOf?.[0].$ref)?.split("/").at(-1);
    return name ? { ...components.schemas[name], ...property } : property;
  };
  schema.value = Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, resolve(property)]));
}
