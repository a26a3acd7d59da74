import { expect, test } from "vitest";
import type * as z from "zod";
import { Readings } from "../../../protocol/inventory.ts";
import { Open } from "../../../protocol/messages.ts";
import { RequestRecord } from "../../../protocol/records.ts";
import { idOf, readingsOf, recordOf } from "../../support/records.ts";
import { opened } from "../../support/spool-requests.ts";

const AT = Date.parse("2026-08-01T00:00:00.000Z");

/** Fields that a peer of an earlier version does not send. */
const LATER_FIELDS: [payload: string, schema: z.ZodType, now: object, fields: string[]][] = [
  ["an OPEN", Open, opened(idOf(AT)).open, ["edge_ms"]],
  [
    "a record",
    RequestRecord,
    recordOf(AT),
    [
      "edge_ms",
      "tunnel_ms",
      "phases_source",
      "route_reason",
      "attempts",
      "moved_from",
      "key_name",
      "end_user",
      "session_id",
    ],
  ],
  ["readings", Readings, readingsOf(AT, []), ["tunnel_ms", "now_ms", "lost"]],
];

test.each(LATER_FIELDS)(
  "reads the fields that %s of an earlier version lacks as unknown",
  (_payload, schema, now, fields) => {
    const before = Object.fromEntries(
      Object.entries(now).filter(([name]) => !fields.includes(name)),
    );
    expect(schema.parse(before)).toEqual({
      ...now,
      ...Object.fromEntries(fields.map((name) => [name, null])),
    });
  },
);
