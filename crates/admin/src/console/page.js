"use strict";
const at = (id) => document.getElementById(id);
let token = sessionStorage.getItem("token") || "";

function make(name, text, attributes = {}) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  return node;
}

function tell(text) { at("told").textContent = text; }

async function call(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { authorization: "Bearer " + token },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await answer.text();
  let value = null;
  try { value = JSON.parse(text); } catch { /* told below */ }
  if (!answer.ok) {
    const problem = value && value.error ? value.error.message : "The server answered " + answer.status + ".";
    throw Object.assign(new Error(problem), { status: answer.status });
  }
  return value;
}

function list(target, value) {
  target.replaceChildren();
  for (const [name, item] of Object.entries(value)) {
    if (Array.isArray(item)) continue;
    target.append(make("dt", name.replaceAll("_", " ")), make("dd", item === null ? "no" : String(item)));
  }
}

async function refresh() {
  list(at("status"), await call("GET", "/admin/v1/status"));
  const { events } = await call("GET", "/admin/v1/audit/events?limit=50");
  at("events").replaceChildren(...events.map((event) => {
    const row = make("tr");
    const when = new Date(event.at).toISOString().replace("T", " ").replace(/\.\d+Z/, " UTC");
    row.append(make("td", when), make("td", event.surface), make("td", event.action), make("td", event.subject), make("td", event.outcome));
    return row;
  }));
  await mailbox();
}

async function mailbox() {
  let found;
  try { found = await call("GET", "/dev/v1/mailbox"); } catch (error) {
    if (error.status === 404) return;
    throw error;
  }
  at("dev").hidden = false;
  at("mailbox").replaceChildren(...found.messages.slice(-20).reverse().map((message) => {
    const item = make("li");
    item.append(make("strong", message.subject || message.operation), make("div", message.ts + " to " + message.to), make("pre", message.body));
    return item;
  }));
}

async function attempt(work) {
  tell("");
  try { await work(); } catch (error) {
    tell(error.message);
    if (error.status === 401) { at("main").hidden = false; sessionStorage.removeItem("token"); at("login").hidden = false; at("token").focus(); }
  }
}

function enter() {
  at("main").hidden = false;
  attempt(async () => {
    await refresh();
    sessionStorage.setItem("token", token);
    at("login").hidden = true;
  });
}

at("login").addEventListener("submit", (event) => { event.preventDefault(); token = at("token").value.trim(); enter(); });

at("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const id = at("key").value.trim();
    const path = "/admin/v1/guarded-keys/" + encodeURIComponent(id);
    at("key-state").replaceChildren();
    const state = await call("GET", path);
    const facts = make("dl");
    list(facts, state);
    at("key-state").append(facts, make("h3", "Contacts: " + state.contacts.length));
    for (const contact of state.contacts) { const one = make("dl"); list(one, contact); at("key-state").append(one); }
    const remove = make("button", "Delete this key", { type: "button", class: "danger" });
    let asked = false;
    remove.addEventListener("click", () => {
      if (!asked) { asked = true; remove.textContent = "Delete this key for good?"; return; }
      attempt(async () => { await call("DELETE", path); at("key-state").replaceChildren(); tell("The key was deleted."); await refresh(); });
    });
    at("key-state").append(remove);
  });
});

at("verify").addEventListener("click", () => attempt(async () => {
  at("verdict").textContent = "Verifying…";
  const verdict = await call("POST", "/admin/v1/audit/verify");
  at("verdict").textContent = verdict.findings.length === 0
    ? "No findings: " + verdict.events + " events in " + verdict.links + " links."
    : verdict.findings.join(" · ");
}));

at("clock-form").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt(async () => {
    const moved = await call("POST", "/dev/v1/clock/advance", { seconds: Number(at("days").value) * 86400 });
    tell("It is now " + moved.now + ".");
    await refresh();
  });
});

if (token) enter();
