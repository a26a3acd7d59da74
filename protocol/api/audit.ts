/** `/api/audit`: the audit log, page by page or as an export. */
import * as z from "zod";
import { AuditAction, AuditEntry } from "../audit.ts";
import type { ApiRoute } from "./route.ts";
import { Count, EXPORT_MEDIA, ExportFormat, Time } from "./shapes.ts";

/** `GET /api/audit`: newest first. */
export const AuditPage = z
  .object({
    entries: z.array(AuditEntry),
    next_cursor: z.uuid().nullable().describe("the cursor of the next page; null on the last"),
    kept: z
      .object({
        days: Count,
        changes_max: Count.describe("changes that are kept at most"),
        access_max: Count.describe(
          "sign-ins, refusals and failed changes that are kept at most, apart from the changes",
        ),
      })
      .describe(
        "older entries are deleted here. External stores keep theirs for RETENTION_AUDIT_DAYS",
      ),
  })
  .meta({ id: "AuditPage" });
export type AuditPage = z.infer<typeof AuditPage>;

export const AuditQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .optional()
    .describe("default 100; an export without a limit contains all entries"),
  cursor: z.uuid().optional().describe("next_cursor of the previous page"),
  action: AuditAction.optional(),
  outcome: AuditEntry.shape.outcome.optional(),
  key: z.string().min(1).max(64).optional().describe("only what this key did: its id"),
  identity: z.string().min(1).max(320).optional().describe("only what this person did"),
  target: z.string().min(1).max(350).optional().describe("only changes of this key, box or model"),
  since: Time.optional().describe("only entries from this time on"),
  until: Time.optional().describe("only entries before this time"),
  format: ExportFormat,
});
export type AuditQuery = z.infer<typeof AuditQuery>;

export const AUDIT_ROUTES = {
  audit: {
    method: "GET",
    path: "/api/audit",
    scope: "admin",
    tag: "Audit",
    summary: "List the changes that people and programs made",
    description: [
      "Changes of keys, boxes, settings, tariffs, pins and models, and the removal of data. Entries are only",
      "added; clearing the data does not remove them. Refused changes and sign-ins are sampled: an entry states",
      "for how many it stands.",
    ].join(" "),
    query: AuditQuery,
    answer: AuditPage,
    media: EXPORT_MEDIA,
  },
} as const satisfies Record<string, ApiRoute>;
