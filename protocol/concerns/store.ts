/** The concerns about an external store. */
import * as z from "zod";
import { Count, Time } from "../api/shapes.ts";
import { type Definition, error } from "./definition.ts";

export const STORE_CONCERNS = {
  store_failing: {
    subject: "external_store",
    description: "The last attempt to write to an external store failed.",
    severity: "critical",
    degrades: true,
    alert: "SinkBehind",
    params: {
      error,
      records: Count.describe("records in its outbox"),
      last_success: Time.nullable().describe("null before the first success"),
    },
  },
  store_behind: {
    subject: "external_store",
    description: "An external store accepts records, but too slowly.",
    // Five minutes of 33 requests a second. A store that is healthy empties its outbox every few seconds.
    severity: { above: { warning: 10_000 } },
    degrades: false,
    alert: "SinkBehind",
    params: { records: Count, last_success: Time.nullable() },
  },
  /** No alert: only somebody who has just cleared the data waits for it, and a failing store raises SinkBehind. */
  store_not_cleared: {
    subject: "external_store",
    description:
      "An external store could not be reached to delete data that was cleared, and still holds it.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {},
  },
  /** No alert: `ollama_sink_dropped_records_total` reports it. SinkBehind fires days before the outbox is full. */
  records_dropped: {
    subject: "external_store",
    description: "The outbox was full in the last 24 hours, so the oldest records were dropped.",
    severity: "critical",
    degrades: true,
    alert: null,
    params: { records: Count.describe("since the store was configured"), last_at: Time },
  },
  /** No alert: `ollama_sink_dropped_records_total` reports it. Retrying cannot help, and the others arrived. */
  records_refused: {
    subject: "external_store",
    description: "An external store refused records in the last 24 hours because of their content.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: {
      records: Count.describe("since the store was configured"),
      last_at: Time,
      last_error: z.string(),
    },
  },
  /** No alert: no metric reports it. */
  repository_stale: {
    subject: "external_store",
    description:
      "The model repository cannot be changed, and may be out of date, while its store fails.",
    severity: "warning",
    degrades: true,
    alert: null,
    params: { error: z.string() },
  },
} as const satisfies Record<string, Definition>;
