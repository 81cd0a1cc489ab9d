"use strict";

// What both halves of the page need: elements, references, and schemas as text, as lists and as examples.

/** An element with attributes and children; text is only ever set as text, never as markup. */
function el(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== null));
  return element;
}

/** A description: paragraphs as they were written, `code` as code. */
function prose(text) {
  if (!text) return null;
  const parts = String(text).trim().split("`");
  const nodes = parts.map((part, index) => (index % 2 ? el("code", {}, part) : part));
  return el("p", { class: "text" }, ...nodes);
}

/** Follows local references; what stands beside a reference overrides what it names, as OpenAPI 3.1 has it. */
function follow(spec, node) {
  let beside = {};
  for (let hops = 0; node && typeof node === "object" && node.$ref && hops < 20; hops += 1) {
    const { $ref, ...rest } = node;
    beside = { ...rest, ...beside };
    const steps = $ref.replace(/^#\/?/, "").split("/").filter(Boolean);
    const names = steps.map((step) => decodeURIComponent(step).replaceAll("~1", "/").replaceAll("~0", "~"));
    node = $ref.startsWith("#") ? names.reduce((at, name) => at?.[name], spec) : undefined;
  }
  if (node === true || node === undefined || node === null) node = {};
  return { ...node, ...beside };
}

const lastName = (schema) => schema?.$ref?.split("/").pop();

/** One schema out of `allOf` and the schema around it. */
function merged(spec, schema, depth = 0) {
  const { allOf, ...own } = follow(spec, schema);
  if (!Array.isArray(allOf) || depth > 8) return own;
  return allOf.map((part) => merged(spec, part, depth + 1)).concat(own).reduce((whole, part) => ({
    ...whole,
    ...part,
    properties: { ...whole.properties, ...part.properties },
    required: [...(whole.required ?? []), ...(part.required ?? [])],
  }), {});
}

/** A schema in a few words, such as `string (uuid), 1 to 64 letters`. */
function words(spec, raw) {
  const schema = merged(spec, raw);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((choice) => lastName(choice) ?? words(spec, choice)).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  const types = [schema.type ?? (schema.properties ? "object" : "any")].flat();
  const named = types.map((type) => (type === "array" && schema.items ? `list of ${lastName(schema.items) ?? words(spec, schema.items)}` : type));
  const facts = [named.join(" or ") + (schema.format ? ` (${schema.format})` : "")];
  const span = (low, high, unit) => {
    if (low !== undefined && high !== undefined) facts.push(`${low} to ${high}${unit}`);
    else if (low !== undefined) facts.push(`at least ${low}${unit}`);
    else if (high !== undefined) facts.push(`at most ${high}${unit}`);
  };
  span(schema.minLength, schema.maxLength, " letters");
  span(schema.minimum, schema.maximum, "");
  span(schema.minItems, schema.maxItems, " items");
  if (schema.pattern) facts.push(`matching ${schema.pattern}`);
  if (schema.default !== undefined) facts.push(`default ${JSON.stringify(schema.default)}`);
  return facts.join(", ");
}

/** One line of a list of fields, with what is inside it below. */
function field(spec, name, schema, flags, seen) {
  const whole = merged(spec, schema);
  const line = el("li", {}, el("code", {}, name), " ", el("span", { class: "soft" }, lastName(schema) ?? words(spec, schema)));
  for (const flag of flags) line.append(" ", el("span", { class: "flag" }, flag));
  line.append(prose(whole.description) ?? "", shape(spec, schema, seen) ?? "");
  return line;
}

/** The inside of a schema as nested lists; null for a plain value. A schema within itself is only named. */
function shape(spec, raw, seen = []) {
  const name = raw?.$ref;
  if (name && seen.includes(name)) return null;
  const path = name ? [...seen, name] : seen;
  if (path.length > 12) return null;
  const schema = merged(spec, raw);
  const lines = Object.entries(schema.properties ?? {}).map(([key, value]) => {
    const whole = merged(spec, value);
    const flags = [schema.required?.includes(key) && "required", whole.deprecated && "deprecated", whole.writeOnly && "only sent", whole.readOnly && "only received"];
    return field(spec, key, value, flags.filter(Boolean), path);
  });
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") {
    lines.push(field(spec, "any other name", schema.additionalProperties, [], path));
  }
  (schema.oneOf ?? schema.anyOf ?? []).forEach((choice, index) => {
    const inside = shape(spec, choice, path);
    if (inside) lines.push(el("li", {}, el("span", { class: "soft" }, `${index ? "or" : "either"} ${lastName(choice) ?? words(spec, choice)}`), inside));
  });
  if (schema.items) {
    const inside = shape(spec, schema.items, path);
    if (inside) lines.push(el("li", {}, el("span", { class: "soft" }, "each of them"), inside));
  }
  return lines.length ? el("ul", { class: "fields" }, ...lines) : null;
}

/** A value the schema would take, to start typing from; null where the schema stands within itself. */
function example(spec, raw, seen = []) {
  const name = raw?.$ref;
  if ((name && seen.includes(name)) || seen.length > 12) return null;
  const path = name ? [...seen, name] : seen;
  const schema = merged(spec, raw);
  for (const given of [schema.example, schema.examples?.[0], schema.default, schema.const, schema.enum?.[0]]) {
    if (given !== undefined) return given;
  }
  const choice = (schema.oneOf ?? schema.anyOf ?? []).find((one) => merged(spec, one).type !== "null");
  if (choice && !schema.properties) return example(spec, choice, path);
  const type = [schema.type ?? (schema.properties ? "object" : "string")].flat().find((one) => one !== "null");
  switch (type) {
    case "object": {
      const shown = Object.entries(schema.properties ?? {}).filter(([, value]) => !merged(spec, value).readOnly);
      return Object.fromEntries(shown.map(([key, value]) => [key, example(spec, value, path)]));
    }
    case "array":
      return schema.items ? [example(spec, schema.items, path)].filter((item) => item !== null) : [];
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    default:
      return { uuid: "00000000-0000-4000-8000-000000000000", "date-time": "2030-01-01T00:00:00.000Z", email: "someone@example.com" }[schema.format] ?? "";
  }
}
