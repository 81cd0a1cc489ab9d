
// The page itself: reads the description, lists its operations, opens the one the address names.

const METHODS = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/** All operations, with what the path says for all its methods folded in. */
function operations(spec) {
  const list = [];
  for (const [path, rawItem] of Object.entries(spec.paths ?? {})) {
    const item = follow(spec, rawItem);
    for (const method of METHODS.filter((name) => item[name])) {
      const own = item[method];
      const parameters = new Map();
      for (const raw of [...(item.parameters ?? []), ...(own.parameters ?? [])]) {
        const parameter = follow(spec, raw);
        parameters.set(`${parameter.in} ${parameter.name}`, parameter);
      }
      list.push({
        ...own,
        path,
        method: method.toUpperCase(),
        servers: own.servers ?? item.servers,
        parameters: [...parameters.values()],
        requestBody: own.requestBody && follow(spec, own.requestBody),
        id: own.operationId ?? `${method}-${path.replace(/[^A-Za-z0-9]+/g, "-")}`,
      });
    }
  }
  return list;
}

/** A body: each media type with its schema. */
function contentView(spec, content) {
  return Object.entries(content ?? {}).flatMap(([type, media]) => [
    el("p", {}, el("code", {}, type), " ", el("span", { class: "soft" }, media.schema ? lastName(media.schema) ?? words(spec, media.schema) : "")),
    media.schema && shape(spec, media.schema),
  ]);
}

function answersView(spec, operation) {
  return Object.entries(operation.responses ?? {}).map(([status, raw]) => {
    const answer = follow(spec, raw);
    const headers = Object.entries(answer.headers ?? {}).map(([name, header]) => {
      const whole = follow(spec, header);
      return el("li", {}, el("code", {}, name), " ", el("span", { class: "soft" }, words(spec, whole.schema ?? {})), prose(whole.description) ?? "");
    });
    const [first, ...more] = String(answer.description ?? "").split("\n");
    return el(
      "details", {}, el("summary", {}, el("strong", {}, status), " ", first), prose(more.join("\n").trim()), headers.length ? el("ul", { class: "fields" }, ...headers) : null,
      ...contentView(spec, answer.content),
    );
  });
}

/** Everything below an operation's line. It is made when the operation is first opened. */
function inside(spec, operation, credentials) {
  const parameters = operation.parameters.map((parameter) => el(
    "li", {}, el("code", {}, parameter.name), " ",
    el("span", { class: "soft" }, `in ${parameter.in}, ${words(spec, parameter.schema ?? {})}`),
    parameter.required ? el("span", { class: "flag" }, " required") : "",
    prose(parameter.description) ?? "",
  ));
  const wanted = (operation.security ?? spec.security ?? []).map((set) => Object.keys(set).join(" and ") || "nothing");
  const heading = (text) => el("h3", {}, text);
  return [
    operation.deprecated ? el("p", { class: "note" }, "Deprecated.") : null,
    prose(operation.description),
    wanted.length ? el("p", { class: "soft" }, `Credentials: ${wanted.join(", or ")}.`) : null,
    ...(parameters.length ? [heading("Parameters"), el("ul", { class: "fields" }, ...parameters)] : []),
    ...(operation.requestBody ? [
      heading(`Body${operation.requestBody.required ? " (required)" : ""}`),
      prose(operation.requestBody.description),
      ...contentView(spec, operation.requestBody.content),
    ] : []),
    heading("Answers"),
    ...answersView(spec, operation),
    tryForm(spec, operation, credentials),
  ].filter(Boolean);
}

function operationView(spec, operation, credentials) {
  const view = el(
    "details", { class: operation.deprecated ? "operation old" : "operation", id: operation.id },
    el(
      "summary", {}, el("span", { class: "method" }, operation.method), el("code", { class: "path" }, operation.path),
      el("span", {}, operation.summary ?? ""),
    ),
  );
  view.addEventListener("toggle", () => {
    if (view.open && view.childElementCount === 1) view.append(...inside(spec, operation, credentials));
  });
  return view;
}

function show(spec) {
  const all = operations(spec);
  const described = new Map((spec.tags ?? []).map((tag) => [tag.name, tag.description]));
  const groups = new Map([...described.keys()].map((name) => [name, []]));
  for (const operation of all) {
    const tag = operation.tags?.[0] ?? "Operations";
    groups.set(tag, [...(groups.get(tag) ?? []), operation]);
  }
  const credentials = credentialFields(spec);
  const sections = [...groups].filter(([, group]) => group.length).map(([name, group], index) => {
    const views = group.map((operation) => operationView(spec, operation, credentials));
    return { name, group, views, section: el("section", { "aria-labelledby": `group-${index}` }, el("h2", { id: `group-${index}` }, name), prose(described.get(name)), ...views) };
  });
  const filter = el("input", { type: "search", autocomplete: "off" });
  const count = el("p", { class: "soft", role: "status" });
  filter.addEventListener("input", () => {
    const wanted = filter.value.toLowerCase();
    let matching = 0;
    for (const { group, views, section } of sections) {
      const hits = group.map((one) => `${one.method} ${one.path} ${one.summary ?? ""} ${one.operationId ?? ""}`.toLowerCase().includes(wanted));
      views.forEach((view, index) => { view.hidden = !hits[index]; });
      section.hidden = !hits.includes(true);
      matching += hits.filter(Boolean).length;
    }
    count.textContent = wanted ? `${matching} of ${all.length} operations` : "";
  });
  const links = sections.map(({ name }, index) => el("li", {}, el("a", { href: `#group-${index}` }, name)));

  document.getElementById("version").textContent = spec.info?.version ? `Version ${spec.info.version}.` : "";
  document.getElementById("about").replaceChildren(prose(spec.info?.description) ?? "");
  document.getElementById("credentials").replaceChildren(credentialForm(credentials) ?? "");
  document.getElementById("operations").replaceChildren(
    el("nav", { "aria-label": "Groups" }, el("ul", {}, ...links)),
    ...labelled("Filter", "by method, path or text", filter), count,
    ...sections.map(({ section }) => section),
  );
}

/** Opens the operation that the address names. */
function openNamed() {
  const named = document.getElementById(location.hash.slice(1));
  if (named?.matches("details")) {
    named.open = true;
    named.scrollIntoView();
    named.firstElementChild.focus();
  }
}

(async () => {
  const state = document.getElementById("state");
  try {
    const answer = await fetch(document.body.dataset.spec, { cache: "no-store", credentials: "same-origin" });
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    show(await answer.json());
    state.remove();
    openNamed();
    addEventListener("hashchange", openNamed);
  } catch (error) {
    state.className = "note bad";
    state.textContent = `The description could not be read: ${error.message}`;
  }
})();
