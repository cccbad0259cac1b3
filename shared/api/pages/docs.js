// Makes this page from /openapi.json. Everything is set as text, never as markup; nothing is loaded from elsewhere.
"use strict";

const METHODS = ["get", "post", "put", "patch", "delete"];
const SHOWN_CHARACTERS = 100000;

function make(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** Text with `code` between backticks set as code. */
function written(tag, text, attributes) {
  const parts = text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
  return make(tag, attributes, ...parts);
}

function resolved(api, schema, depth = 0) {
  if (!schema || depth > 6) return schema || {};
  if (schema.$ref) {
    const found = schema.$ref.replace("#/", "").split("/").reduce((node, name) => node && node[name], api);
    return resolved(api, found, depth + 1);
  }
  return schema;
}

function typeOf(api, schema) {
  const one = resolved(api, schema);
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (one.const !== undefined) return JSON.stringify(one.const);
  const several = one.anyOf || one.oneOf;
  if (several) return several.map((option) => typeOf(api, option)).filter((name) => name !== "null").join(" | ");
  if (one.type === "array") return typeOf(api, one.items || {}) + "[]";
  return one.format ? `${one.type} (${one.format})` : one.type || "any";
}

function fieldRows(api, fields) {
  const rows = fields.map((field) => make("tr", {},
    make("td", {}, make("code", {}, field.name), field.required ? " *" : ""),
    make("td", {}, field.place || "", field.place ? " · " : "", make("span", { class: "note" }, typeOf(api, field.schema))),
    written("td", (field.description || "") + (field.fallback ? ` Default \`${field.fallback}\`.` : ""))));
  return make("table", {}, make("tbody", {}, ...rows));
}

function parameterFields(operation) {
  return (operation.parameters || []).map((one) => ({
    name: one.name, place: one.in, required: one.required, schema: one.schema,
    description: one.description || (one.schema && one.schema.description) || "",
    fallback: fallbackOf(one.schema),
  }));
}

function fallbackOf(schema) {
  const value = schema && schema.default;
  return value === undefined || value === null || value === "" ? "" : String(value);
}

function bodySection(api, operation) {
  const content = operation.requestBody && operation.requestBody.content;
  if (!content) return [];
  const schema = resolved(api, (content["application/json"] || {}).schema);
  const section = [make("h4", {}, "Body"), make("p", { class: "note" }, Object.keys(content).join(", "))];
  if (schema.properties) {
    const required = new Set(schema.required || []);
    section.push(fieldRows(api, Object.entries(schema.properties).map(([name, field]) => ({
      name, schema: field, required: required.has(name), description: resolved(api, field).description || field.description,
      fallback: fallbackOf(field),
    }))));
  }
  return section;
}

function input(parameter, id) {
  const known = parameter.schema && parameter.schema.enum;
  if (!known) return make("input", { id, autocomplete: "off" });
  return make("select", { id }, make("option", { value: "" }, ""), ...known.map((value) => make("option", {}, value)));
}

function tryIt(method, path, operation, id) {
  const fields = parameterFields(operation).filter((one) => one.place === "path" || one.place === "query");
  const inputs = fields.map((one) => ({ one, element: input(one, `${id}-${one.place}-${one.name}`) }));
  const body = operation.requestBody ? make("textarea", { id: `${id}-body`, class: "mono", spellcheck: "false" }) : null;
  const send = make("button", { type: "button", class: "send" }, "Send");
  const result = make("div", { "aria-live": "polite" });
  send.addEventListener("click", () => ask(method, path, inputs, body, result));
  const rows = inputs.map(({ one, element }) =>
    make("p", {}, make("label", { for: element.id }, make("code", {}, one.name), element)));
  if (body) rows.push(make("p", {}, make("label", { for: body.id }, "Body (JSON)", body)));
  return make("details", {}, make("summary", {}, "Try it"), ...rows, make("p", {}, send), result);
}

async function ask(method, path, inputs, body, result) {
  const query = new URLSearchParams();
  let address = path;
  for (const { one, element } of inputs) {
    if (one.place === "path") address = address.replace(`{${one.name}}`, encodeURIComponent(element.value));
    else if (one.name === "filters") {
      for (const [name, value] of new URLSearchParams(element.value)) query.append(name, value);
    } else if (element.value) query.append(one.name, element.value);
  }
  if ([...query].length) address += "?" + query;
  const headers = {};
  const key = document.getElementById("key").value.trim();
  if (key) headers.Authorization = "Bearer " + key;
  if (body && body.value) headers["Content-Type"] = "application/json";
  const asked = make("pre", {}, make("code", {}, curl(method, address, body)));
  result.replaceChildren(asked, make("p", { class: "note" }, "Waiting …"));
  try {
    const answer = await fetch(address, { method: method.toUpperCase(), headers, body: body && body.value ? body.value : undefined });
    const text = await answer.text();
    const noted = ["content-type", "teal-snapshot", "etag", "teal-receipt", "server-timing", "link", "x-request-id"]
      .filter((name) => answer.headers.has(name)).map((name) => `${name}: ${answer.headers.get(name)}`).join("\n");
    result.replaceChildren(asked,
      make("p", answer.ok ? {} : { class: "bad" }, `${answer.status} ${answer.statusText}`),
      make("pre", {}, make("code", {}, noted)),
      make("pre", {}, make("code", {}, pretty(text))));
  } catch (error) {
    result.replaceChildren(asked, make("p", { class: "bad" }, `No answer: ${error.message}`));
  }
}

function curl(method, address, body) {
  const parts = [`curl -X ${method.toUpperCase()}`, '-H "Authorization: Bearer $KEY"'];
  if (body && body.value) {
    parts.push('-H "Content-Type: application/json"', `--data '${body.value.replaceAll("'", "'\\''")}'`);
  }
  return [...parts, `"${location.origin}${address}"`].join(" \\\n  ");
}

function pretty(text) {
  let shown = text;
  try { shown = JSON.stringify(JSON.parse(text), null, 2); } catch { /* not JSON: shown as it came */ }
  return shown.length > SHOWN_CHARACTERS ? shown.slice(0, SHOWN_CHARACTERS) + "\n…" : shown;
}

function operationElement(api, method, path, operation, id) {
  const fields = parameterFields(operation);
  const parts = [];
  if (operation.description) parts.push(written("p", operation.description, { class: "description" }));
  if (fields.length) parts.push(make("h4", {}, "Parameters"), fieldRows(api, fields));
  parts.push(...bodySection(api, operation), tryIt(method, path, operation, id));
  return make("details", { class: "operation", id },
    make("summary", {}, make("span", { class: `method mono ${method}` }, method.toUpperCase()), make("code", {}, path),
      make("span", { class: "summary" }, operation.summary || "")),
    make("div", {}, ...parts));
}

function show(api) {
  document.title = `${api.info.title} API`;
  document.getElementById("title").textContent = `${api.info.title} API ${api.info.version}`;
  document.getElementById("about").textContent = api.info.description || "";
  const groups = new Map();
  for (const [path, operations] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => operations[one])) {
      const tag = (operations[method].tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([method, path, operations[method]]);
    }
  }
  const contents = document.getElementById("contents");
  const sections = [];
  for (const [tag, operations] of groups) {
    const list = make("ul");
    const section = make("section", {}, make("h2", {}, tag[0].toUpperCase() + tag.slice(1)));
    for (const [method, path, operation] of operations) {
      const id = `${method}${path.replace(/[^A-Za-z0-9]+/g, "-")}`;
      const element = operationElement(api, method, path, operation, id);
      const link = make("a", { href: `#${id}` }, operation.summary || path);
      link.addEventListener("click", () => { element.open = true; });
      list.append(make("li", {}, link));
      section.append(element);
    }
    contents.append(make("h2", {}, tag), list);
    sections.push(section);
  }
  document.getElementById("operations").replaceChildren(...sections);
  const wanted = location.hash && document.getElementById(location.hash.slice(1));
  if (wanted) { wanted.open = true; wanted.scrollIntoView(); }
}

fetch("/openapi.json")
  .then((answer) => { if (!answer.ok) throw new Error(`status ${answer.status}`); return answer.json(); })
  .then(show)
  .catch((error) => { document.getElementById("waiting").textContent = `openapi.json could not be read: ${error.message}`; });
