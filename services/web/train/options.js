// Options of trainings and tunings, as the API's own document describes them: with the words of the command line.
import { call, nReturns } from "../api.js";
import { html, signal, useEffect } from "../html.js";
import { text } from "../text.js";

const schemas = signal(null); // name of a schema -> its properties
const NAMES = ["TrainingOptions", "TuningOptions"];

/**
 * Fields for all options.
 *
 * @param {{of: string, values: object, onChange: Function}} props `of` names the schema; `onChange` gets only what
 *   differs from the defaults
 */
export function Options({ of, values, onChange }) {
  useEffect(() => {
    if (!schemas.value) load().catch(() => {}); // without their fields the defaults serve, and it is tried again
  }, [nReturns.value]);
  const set = (name, value) => {
    const { [name]: _, ...others } = values;
    onChange(value === undefined ? others : { ...others, [name]: value });
  };
  return html`<div class="options">${Object.entries(schemas.value?.[of] ?? {}).map(([name, property]) => html`<label key=${name} class="field">
    <code>--${name.replaceAll("_", "-")}</code>
    <${Field} name=${name} property=${property} value=${values[name]} onChange=${(value) => set(name, value)} />
    ${describe(name, property)}</label>`)}</div>`;
}

function describe(name, { description }) {
  const translated = text.service?.options[name];
  return html`<small lang=${translated ? null : "en"}>${translated ?? description}</small>`;
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
    const parse = types[0].items.type === "string" ? String : Number;
    return html`<input value=${(value ?? usual).join(" ")}
      onChange=${({ target }) => onChange(target.value.trim() === usual.join(" ") ? undefined : target.value.split(" ").filter(Boolean).map(parse))} />`;
  }
  const parse = (typed) => (typed === "" || Number(typed) === usual ? undefined : Number(typed));
  return html`<input type="number" step=${type === "integer" ? 1 : "any"} value=${value ?? usual ?? ""} placeholder=${text.train.unset[name] ?? ""}
    onChange=${({ target }) => onChange(parse(target.value))} />`;
}

async function load() {
  const { components } = await call("GET", "/openapi.json");
  const resolve = (property) => {
    const name = (property.$ref ?? property.allOf?.[0].$ref)?.split("/").at(-1);
    return name ? { ...components.schemas[name], ...property } : property;
  };
  const resolveAll = ({ properties }) => Object.fromEntries(Object.entries(properties).map(([name, property]) => [name, resolve(property)]));
  schemas.value = Object.fromEntries(NAMES.map((name) => [name, resolveAll(components.schemas[name])]));
}
