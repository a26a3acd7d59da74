/**
 * Renders the API's description as a page: nothing external, everything escaped. Without its script it lacks
 * only the forms that send a request.
 */
import { html } from "hono/html";
import { exampleLine } from "./example.ts";
import type { Schema } from "./json-schema.ts";
import type { OpenApi, Operation, Parameter } from "./openapi.ts";

type Html = ReturnType<typeof html>;

/** @param origin  that of this edge, for the examples */
export function docsPage({ info, tags, paths, components }: OpenApi, origin: string): Html {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  );
  return html`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${info.title}: API</title>
    <link rel="icon" type="image/svg+xml" href="/assets/icons/icon.svg" />
    <link rel="stylesheet" href="/assets/docs.css" />
    <script type="module" src="/assets/docs.js"></script>
  </head>
  <body>
    <header class="docs-bar">
      <a class="brand" href="/"><img src="/assets/icons/icon.svg" alt="" width="24" height="24" />${info.title}</a>
      <span class="quiet">API ${info.version}</span>
      <a href="/">Dashboard</a>
      <a href="/api/openapi.json">openapi.json</a>
    </header>
    <nav aria-label="Routes">
      ${tags.map(
        ({ name }) => html`<section><h2>${name}</h2><ul>
          ${operations
            .filter(({ operation }) => operation.tags.includes(name))
            .map(
              ({ path, method, operation }) =>
                html`<li><a href="#${operation.operationId}">${methodBadge(method)}<span>${path.replace(/^\/api\//, "")}</span></a></li>`,
            )}
        </ul></section>`,
      )}
    </nav>
    <main>
      <h1>The API</h1>
      <p>${info.description}</p>
      <p>
        Send an API key as <code>Authorization: Bearer …</code> or <code>x-api-key</code>.
        No key is needed on your own machine. "Try it" sends the request of this browser, with its sign-in.
      </p>
      ${operations.map(({ path, method, operation }) =>
        route(
          method,
          path,
          operation,
          exampleLine(origin, method, path, operation, components.schemas),
        ),
      )}
      <h2 id="shapes">Shapes</h2>
      ${Object.entries(components.schemas).map(
        ([name, schema]) =>
          html`<section><h3 id="shape-${name}">${name}</h3>${fields(schema)}</section>`,
      )}
    </main>
  </body>
</html>`;
}

const methodBadge = (method: string): Html =>
  html`<b class="method ${method.toLowerCase()}">${method}</b>`;

function neededKey([first]: Operation["security"]): Html | string {
  const scope = first?.bearer?.[0];
  if (first === undefined) return "Needs no key.";
  return scope === undefined
    ? "Every valid key may call it."
    : html`Needs the scope <code>${scope}</code>.`;
}

function route(
  method: string,
  path: string,
  { operationId, summary, description, security, parameters, requestBody, responses }: Operation,
  example: string,
): Html {
  const answers = Object.entries(responses[200]?.content ?? {});
  return html`<article>
    <h2 id="${operationId}">${methodBadge(method)}${path}</h2>
    <p>${summary}. ${neededKey(security)}</p>
    ${description === undefined ? "" : html`<p>${description}</p>`}
    <pre>${example}</pre>
    ${parameters === undefined ? "" : html`<h3>Parameters</h3>${parameterTable(parameters)}`}
    ${requestBody === undefined ? "" : html`<h3>Body</h3>${bodyOf(jsonSchemaOf(requestBody))}`}
    <h3>Answer</h3>
    <ul>
      ${answers.map(
        ([media, { schema = {} }]) =>
          html`<li><code>${media}</code>: ${schema.$ref === undefined ? schema.description : typeOf(schema)}</li>`,
      )}
    </ul>
    ${method === "GET" && responses[200]?.content?.["application/json"] !== undefined ? tryForm(path, parameters ?? []) : ""}
  </article>`;
}

/** Reads only: changes are made on the dashboard, or by a program. Shown by the script that sends it. */
const tryForm = (
  path: string,
  parameters: Parameter[],
): Html => html`<form class="try" data-path="${path}" hidden>
  ${parameters.map(
    ({ name, in: place, required }) =>
      html`<label>${name}<input name="${name}" data-in="${place}"${required ? html` required` : ""} autocomplete="off" spellcheck="false" /></label>`,
  )}
  <button type="submit">Try it</button>
  <output></output>
</form>`;

const jsonSchemaOf = ({ content }: NonNullable<Operation["requestBody"]>): Schema =>
  content["application/json"]?.schema ?? {};

const parameterTable = (parameters: Parameter[]): Html =>
  table(
    ["Name", "Type", "Meaning"],
    parameters.map(({ name, in: place, required, schema, description }) => [
      html`<code>${name}</code>${place === "path" ? " (in the path)" : required ? " (required)" : ""}`,
      typeOf(schema),
      html`${description ?? ""}${defaultOf(schema)}`,
    ]),
  );

/** Shows each form of a body that has several. */
const bodyOf = (schema: Schema): Html =>
  schema.anyOf === undefined
    ? schema.$ref === undefined
      ? fields(schema)
      : html`<p>${typeOf(schema)}</p>`
    : html`${schema.anyOf.map((form, index) => html`${index > 0 ? html`<p>or</p>` : ""}${fields(form)}`)}`;

function fields(schema: Schema): Html {
  if (schema.oneOf !== undefined)
    return html`<p>${schema.description ?? ""}</p>${schema.oneOf.map((form) => fields(form))}`;
  if (schema.properties === undefined) return html`<p>${typeOf(schema)}</p>`;
  const rows = Object.entries(schema.properties).map(([name, field]) => [
    html`<code>${name}</code>${schema.required?.includes(name) ? "" : " (optional)"}`,
    typeOf(field),
    html`${field.description ?? ""}${defaultOf(field)}`,
  ]);
  const about = schema.description === undefined ? "" : html`<p>${schema.description}</p>`;
  return html`${about}${table(["Field", "Type", "Meaning"], rows)}`;
}

function table(titles: string[], rows: Html[][]): Html {
  return html`<div class="scroll"><table>
    <thead><tr>${titles.map((title) => html`<th scope="col">${title}</th>`)}</tr></thead>
    <tbody>${rows.map((cells) => html`<tr>${cells.map((cell) => html`<td>${cell}</td>`)}</tr>`)}</tbody>
  </table></div>`;
}

/** Describes a type: `integer or null`, `list of Box`, `on | off`. */
function typeOf(schema: Schema): Html {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf("/") + 1);
    return html`<a href="#shape-${name}">${name}</a>`;
  }
  if (schema.anyOf !== undefined)
    return html`${schema.anyOf.map((one, index) => html`${index > 0 ? " or " : ""}${typeOf(one)}`)}`;
  if (schema.enum !== undefined) return html`${schema.enum.join(" | ")}`;
  if (schema.const !== undefined) return html`${JSON.stringify(schema.const)}`;
  if (schema.type === "array") return html`list of ${typeOf(schema.items ?? {})}`;
  if (schema.properties !== undefined) {
    const properties = Object.entries(schema.properties);
    return html`{ ${properties.map(
      ([name, field], index) => html`${index > 0 ? ", " : ""}${name}: ${typeOf(field)}`,
    )} }`;
  }
  const format = typeof schema.format === "string" ? ` (${schema.format})` : "";
  return html`${[schema.type ?? "anything"].flat().join(" or ")}${format}${rangeOf(schema)}`;
}

function rangeOf({ minimum, maximum }: Schema): string {
  const isShown = (bound: unknown): bound is number =>
    typeof bound === "number" && Math.abs(bound) !== Number.MAX_SAFE_INTEGER;
  if (isShown(minimum) && isShown(maximum)) return `, ${minimum} to ${maximum}`;
  if (isShown(minimum) && minimum !== 0) return `, at least ${minimum}`;
  return isShown(maximum) ? `, at most ${maximum}` : "";
}

const defaultOf = ({ default: value }: Schema): string =>
  value === undefined
    ? ""
    : ` (default ${typeof value === "string" ? value : JSON.stringify(value)})`;
