/** The API's own description. It is the same for every deployment, so it needs no key. */
import type { ApiRoute } from "./route.ts";

export const DOCS_ROUTES = {
  openapi: {
    method: "GET",
    path: "/api/openapi.json",
    scope: null,
    tag: "Description",
    summary: "Get this API as an OpenAPI 3.1 document",
    answer: null,
    media: { "application/json": "OpenAPI 3.1" },
  },
  docs: {
    method: "GET",
    path: "/api/docs",
    scope: null,
    tag: "Description",
    summary: "Read this API as a page",
    answer: null,
    media: { "text/html": "a page without scripts" },
  },
} as const satisfies Record<string, ApiRoute>;
