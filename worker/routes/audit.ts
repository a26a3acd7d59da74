/** `/api/audit`: the audit log. */
import { Hono } from "hono";
import { AUDIT_ROUTES } from "../../protocol/api/audit.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import { auditExport } from "../answers/export.ts";
import type { Env } from "../env.ts";
import { serveRoute } from "./api-route.ts";

export const auditRoutes = new Hono<Env>();

/** Entries of a page, unless the query states a number. */
const PAGE = 100;

serveRoute(
  auditRoutes,
  AUDIT_ROUTES.audit,
  async ({ query: { format, limit, cursor: from, ...filter } }, c) => {
    const read = (page: { limit: number; cursor?: string | undefined }) =>
      aggregatorOf(c.env).audit({ ...filter, cursor: from, ...page });
    return format === "json"
      ? read({ limit: limit ?? PAGE })
      : auditExport(format, limit ?? null, read);
  },
);
