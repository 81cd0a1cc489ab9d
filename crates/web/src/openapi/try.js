
// Trying a call: a form from an operation, and what came back.

let lastId = 0;

/** A labelled control. */
function labelled(text, hint, control) {
  lastId += 1;
  control.id = `field-${lastId}`;
  return [el("label", { for: control.id }, text, hint ? el("span", { class: "soft" }, ` ${hint}`) : ""), control];
}

/** The fields for the credentials of the whole page. They live in these fields and nowhere else. */
function credentialFields(spec) {
  const fields = new Map();
  for (const [name, raw] of Object.entries(spec.components?.securitySchemes ?? {})) {
    const scheme = follow(spec, raw);
    const kind = scheme.type === "http" ? scheme.scheme?.toLowerCase() : scheme.type;
    const input = (type) => el("input", { type, autocomplete: "off", spellcheck: "false" });
    const secret = input("password");
    if (kind === "basic") fields.set(name, { scheme, kind, user: input("text"), secret });
    else if (kind === "apiKey" && scheme.in === "cookie") continue;
    else fields.set(name, { scheme, kind: kind === "apiKey" ? kind : "bearer", secret });
  }
  return fields;
}

function credentialForm(fields) {
  if (!fields.size) return null;
  const groups = [...fields].map(([name, { scheme, kind, user, secret }]) => el(
    "fieldset", {}, el("legend", {}, name), prose(scheme.description),
    ...(user ? labelled("User", "", user) : []),
    ...labelled({ basic: "Password", bearer: "Token" }[kind] ?? `Value of ${scheme.name}`, "", secret),
  ));
  const form = el("form", {}, ...groups);
  form.addEventListener("submit", (event) => event.preventDefault());
  return el(
    "details", {}, el("summary", {}, "Credentials for trying calls"),
    el("p", { class: "soft" }, "They stay in this page until it is closed or reloaded, and are sent with the calls that ask for them."),
    form,
  );
}

/** Adds the first set of credentials an operation accepts and the reader has filled in. */
function addCredentials(wanted, fields, headers, query) {
  const filled = (set) => Object.keys(set).every((name) => fields.get(name)?.secret.value || fields.get(name)?.user?.value);
  const chosen = (wanted ?? []).find((set) => Object.keys(set).length && filled(set));
  for (const name of Object.keys(chosen ?? {})) {
    const { scheme, kind, user, secret } = fields.get(name);
    if (kind === "basic") headers.set("Authorization", `Basic ${base64(`${user.value}:${secret.value}`)}`);
    else if (kind === "bearer") headers.set("Authorization", `Bearer ${secret.value}`);
    else if (scheme.in === "query") query.push(`${encodeURIComponent(scheme.name)}=${encodeURIComponent(secret.value)}`);
    else headers.set(scheme.name, secret.value);
  }
}

function base64(text) {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(""));
}

/** Where calls go: the described server if it is at this origin, else this origin. */
function base(spec, operation) {
  const server = (operation.servers ?? spec.servers)?.[0];
  const url = (server?.url ?? "").replace(/\{([^}]*)\}/g, (_, name) => server.variables?.[name]?.default ?? "");
  const resolved = new URL(url || "/", location.origin);
  return resolved.origin === location.origin ? resolved.pathname.replace(/\/$/, "") : "";
}

function parameterControl(spec, parameter) {
  const schema = merged(spec, parameter.schema);
  const values = schema.enum ?? (schema.type === "boolean" ? [true, false] : null);
  if (values) return el("select", {}, el("option", { value: "" }, ""), ...values.map((value) => el("option", {}, String(value))));
  const start = parameter.example ?? schema.example ?? schema.default ?? "";
  return el("input", { type: "text", value: String(start), autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
}

/** What the body field starts with. */
function bodyText(spec, type, media) {
  const given = media.example ?? Object.values(media.examples ?? {}).map((one) => follow(spec, one).value)[0];
  const value = given ?? example(spec, media.schema ?? {});
  if (typeof value === "string") return value;
  if (type !== "application/x-www-form-urlencoded") return JSON.stringify(value, null, 2);
  return Object.entries(value ?? {}).map((pair) => pair.map((part) => encodeURIComponent(part ?? "")).join("=")).join("&");
}

/** The form that tries `operation`. */
function tryForm(spec, operation, credentials) {
  const controls = operation.parameters
    .filter((parameter) => parameter.in !== "cookie")
    .map((parameter) => [parameter, parameterControl(spec, parameter)]);
  const content = Object.entries(operation.requestBody?.content ?? {});
  const type = el("select", {}, ...content.map(([name]) => el("option", {}, name)));
  const body = el("textarea", { spellcheck: "false", autocapitalize: "off" });
  const fill = () => { body.value = bodyText(spec, type.value, operation.requestBody.content[type.value]); };
  if (content.length) { type.addEventListener("change", fill); fill(); }

  const button = el("button", {}, "Send");
  const status = el("p", { role: "status" });
  const result = el("div");
  const form = el(
    "form", {}, el("h3", {}, "Try it"),
    el("p", { class: "soft" }, "The call is sent to this server and really happens."),
    ...controls.flatMap(([parameter, control]) => labelled(parameter.name, `${parameter.in}${parameter.required ? ", required" : ""}`, control)),
    ...(content.length ? labelled("Content type", "", type).concat(labelled("Body", "", body)) : []),
    button, status, result,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.getAttribute("aria-disabled") === "true") return;
    const missing = controls.find(([parameter, control]) => parameter.required && !control.value);
    if (missing) {
      status.textContent = `${missing[0].name} is required.`;
      missing[1].focus();
      return;
    }
    button.setAttribute("aria-disabled", "true");
    status.textContent = "Sending …";
    status.className = "";
    result.replaceChildren();
    try {
      const { url, init } = call(spec, operation, controls, credentials, content.length ? { type: type.value, text: body.value } : null);
      const begun = performance.now();
      const answer = await fetch(url, init);
      const text = await answer.text();
      status.textContent = `${answer.status} ${answer.statusText}`.trim() + `, after ${Math.round(performance.now() - begun)} ms`;
      status.className = answer.ok ? "good" : "bad";
      result.replaceChildren(...shown(url, init, answer, text));
    } catch (error) {
      status.textContent = `There was no answer: ${error.message}`;
      status.className = "bad";
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
  return form;
}

/** The request a filled-in form stands for. */
function call(spec, operation, controls, credentials, body) {
  const headers = new Headers();
  const query = [];
  let path = operation.path;
  for (const [{ name, in: place }, { value }] of controls) {
    if (place === "path") path = path.replace(`{${name}}`, () => encodeURIComponent(value));
    else if (value === "") continue;
    else if (place === "query") query.push(`${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
    else headers.set(name, value);
  }
  addCredentials(operation.security ?? spec.security, credentials, headers, query);
  const sendsBody = body && body.text !== "" && !["GET", "HEAD"].includes(operation.method);
  if (sendsBody) headers.set("Content-Type", body.type);
  const init = { method: operation.method, headers, cache: "no-store", credentials: "omit", redirect: "manual" };
  if (sendsBody) init.body = body.text;
  return { url: base(spec, operation) + path + (query.length ? `?${query.join("&")}` : ""), init };
}

function shown(url, init, answer, text) {
  let pretty = text;
  if (/\bjson\b/.test(answer.headers.get("Content-Type") ?? "")) {
    try { pretty = JSON.stringify(JSON.parse(text), null, 2); } catch { /* It is shown as it came. */ }
  }
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const block = (label, content) => el("pre", { tabindex: "0", role: "region", "aria-label": label }, content);
  return [
    el("p", {}, el("code", {}, `${init.method} ${url}`)),
    pretty === "" ? el("p", { class: "soft" }, "The answer has no body.") : block("Body of the answer", pretty),
    el("details", {}, el("summary", {}, "Headers of the answer"), block("Headers of the answer", headers)),
  ];
}
