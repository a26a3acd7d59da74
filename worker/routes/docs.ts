/**
 * `/api/openapi.json` and `/api/docs`: the API's description, made from the table that serves it.
 */
import { Hono } from "hono";
import { DOCS_ROUTES } from "../../protocol/api/docs.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { type OpenApi, openApiOf } from "../docs/openapi.ts";
import { docsPage } from "../docs/page.ts";
import type { Env } from "../env.ts";
import { VERSION } from "../version.ts";
import { serveRoute } from "./api-route.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** Made on first use: an isolate that only serves calls does not need it. */
let cached: OpenApi | null = null;
const description = (): OpenApi => {
  cached ??= openApiOf(API_ROUTES, VERSION);
  return cached;
};

export const docsRoutes = new Hono<Env>();

serveRoute(docsRoutes, DOCS_ROUTES.openapi, async () => Response.json(description()));
serveRoute(docsRoutes, DOCS_ROUTES.docs, async (_, c) =>
  c.html(docsPage(description(), new URL(c.req.url).origin), 200, SECURITY_HEADERS),
);
