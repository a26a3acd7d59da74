/** Renders the API's description as a page: no script, nothing external, everything escaped. */
import { html } from "hono/html";
import type { Schema } from "./json-schema.ts";
import type { OpenApi, Operation, Parameter } from "./openapi.ts";

type Html = ReturnType<typeof html>;

export function docsPage({ info, tags, paths, components }: OpenApi): Html {
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
    <link rel="stylesheet" href="/assets/docs.css" />
  </head>
  <body>
    <header>
      <h1>${info.title} ${info.version}: API</h1>
      <p>${info.description}</p>
      <p>
        Send an API key as <code>Authorization: Bearer …</code> or <code>x-api-key</code>.
        No key is needed on your own machine.
        For programs: <a href="/api/openapi.json">openapi.json</a>. <a href="/">Dashboard</a>.
      </p>
      <nav aria-label="Routes">
        ${tags.map(
          ({ name }) => html`<section><h2>${name}</h2><ul>
            ${operations
              .filter(({ operation }) => operation.tags.includes(name))
              .map(
                ({ path, method, operation }) =>
                  html`<li><a href="#${operation.operationId}"><b>${method}</b> ${path}</a></li>`,
              )}
          </ul></section>`,
        )}
      </nav>
    </header>
    <main>
      ${operations.map(({ path, method, operation }) => route(method, path, operation))}
      <h2 id="shapes">Shapes</h2>
      ${Object.entries(components.schemas).map(
        ([name, schema]) =>
          html`<section><h3 id="shape-${name}">${name}</h3>${fields(schema)}</section>`,
      )}
    </main>
  </body>
</html>`;
}

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
): Html {
  const answers = Object.entries(responses[200]?.content ?? {});
  return html`<article>
    <h3 id="${operationId}"><b>${method}</b> ${path}</h3>
    <p>${summary}. ${neededKey(security)}</p>
    ${description === undefined ? "" : html`<p>${description}</p>`}
    ${parameters === undefined ? "" : html`<h4>Parameters</h4>${parameterTable(parameters)}`}
    ${requestBody === undefined ? "" : html`<h4>Body</h4>${bodyOf(jsonSchemaOf(requestBody))}`}
    <h4>Answer</h4>
    <ul>
      ${answers.map(
        ([media, { schema = {} }]) =>
          html`<li><code>${media}</code>: ${schema.$ref === undefined ? schema.description : typeOf(schema)}</li>`,
      )}
    </ul>
  </article>`;
}

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
