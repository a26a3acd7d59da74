/** `/api/openapi.json` and `/api/docs`: the API described, from the table it is served by. */
import { Hono } from "hono";
import { DOCS_ROUTES } from "../../protocol/api/docs.ts";
import { API_ROUTES } from "../../protocol/api/routes.ts";
import { type OpenApi, openApiOf } from "../docs/openapi.ts";
import { docsPage } from "../docs/page.ts";
import type { Env } from "../env.ts";
import { VERSION } from "../version.ts";
import { serveRoute } from "./api-route.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** Made when it is first asked for: an isolate that only serves calls need not. */
let made: OpenApi | null = null;
const description = (): OpenApi => {
  made ??= openApiOf(API_ROUTES, VERSION);
  return made;
};

export const docsRoutes = new Hono<Env>();

serveRoute(docsRoutes, DOCS_ROUTES.openapi, async () => Response.json(description()));
serveRoute(docsRoutes, DOCS_ROUTES.docs, async (_, c) =>
  c.html(docsPage(description()), 200, SECURITY_HEADERS),
);
