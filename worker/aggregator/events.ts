/**
 * The events, bounded: the newest of them, each a row.
 *
 * An event that is repeated is one row that counts. A repetition is written at most once a minute, so a
 * tunnel or a model that comes and goes all day costs little. A restart may lose the last repetitions.
 */
import * as z from "zod";
import type { Events as EventsAnswer, EventsQuery } from "../../protocol/api/events.ts";
import { eventText } from "../../protocol/event-text.ts";
import { EVENT_KINDS, eventParams, MachineEvent, type NewEvent } from "../../protocol/events.ts";
import { withTag } from "../../protocol/inventory.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { isoOf } from "../answers/figures.ts";
import { PLAIN } from "../answers/wording.ts";
import { RETENTION } from "../retention.ts";
import { jsonText } from "../storage/json-text.ts";

/** A year of about thirty events a day. */
export const EVENTS_MAX = 10_000;
/** Repetitions within this time are one event. */
export const FOLD_MS = 10 * 60_000;
/** An event counts repetitions for at most this long, so that a long flapping shows its times. */
const FOLD_SPAN_MS = 60 * 60_000;
const WRITE_MS = 60_000;

const Row = z.object({
  id: z.number(),
  at_ms: z.number(),
  last_ms: z.number(),
  count: z.number(),
  kind: z.enum(EVENT_KINDS),
  box: z.string().nullable(),
  model: z.string().nullable(),
  params: jsonText(z.unknown()),
});

const Oldest = z.object({ last_ms: z.number().nullable() });

type Kept = {
  id: number;
  atMs: number;
  lastMs: number;
  count: number;
  event: NewEvent;
  /** When the row was written; `isDirty` if it has changed since. */
  writtenMs: number;
  isDirty: boolean;
};

export class EventStore {
  readonly #sql: SqlStorage;
  readonly #keptMs: number | null;
  /** The newest event of each kind and subject, as long as it may be repeated. */
  readonly #newest = new Map<string, Kept>();

  /** @param keptMs  null for as long as there is room */
  constructor(sql: SqlStorage, keptMs: number | null = RETENTION.eventsMs) {
    this.#sql = sql;
    this.#keptMs = keptMs;
    for (const { id, at_ms, last_ms, count, ...row } of this.#rows("ORDER BY id DESC LIMIT 100")) {
      const event = eventOf(row);
      if (event === null || this.#newest.has(keyOf(event))) continue;
      this.#newest.set(keyOf(event), {
        ...{ id, atMs: at_ms, lastMs: last_ms, count, event },
        ...{ writtenMs: last_ms, isDirty: false },
      });
    }
  }

  note(events: readonly NewEvent[], nowMs: number): void {
    for (const event of events) this.#note(event, nowMs);
  }

  /** Notes the version of the edge, if it is another one than before. */
  noteVersion(to: string, nowMs: number): void {
    const [row] = this.#rows("WHERE kind = 'edge_updated' ORDER BY id DESC LIMIT 1");
    const last = row === undefined ? null : eventOf(row);
    const from = last?.kind === "edge_updated" ? last.params.to : null;
    if (from !== to)
      this.note([{ kind: "edge_updated", box: null, model: null, params: { from, to } }], nowMs);
  }

  /** Adds requests that a cut of their tunnel did, or did not, end to the event of its return. */
  add({ box, resumed, failed_at, started_at }: RequestRecord): void {
    if (box === null || (resumed === 0 && failed_at !== "tunnel")) return;
    const kept = this.#newest.get(keyOf({ kind: "tunnel_back", box, model: null }));
    if (kept?.event.kind !== "tunnel_back" || Date.parse(started_at) > kept.lastMs) return;
    const { params } = kept.event;
    if (failed_at === "tunnel") params.requests_lost++;
    else params.requests_kept++;
    this.#update(kept, kept.writtenMs);
  }

  list(
    { kind, box, model, since, until, limit, cursor }: EventsQuery,
    nowMs: number,
  ): EventsAnswer {
    this.write();
    const kinds = kind === undefined ? null : JSON.stringify(kind);
    const rows = this.#rows(
      `WHERE (?1 IS NULL OR id < ?1) AND (?2 IS NULL OR last_ms >= ?2) AND (?3 IS NULL OR at_ms < ?3)
        AND (?4 IS NULL OR box = ?4) AND (?5 IS NULL OR model = ?5)
        AND (?6 IS NULL OR kind IN (SELECT value FROM json_each(?6)))
       ORDER BY id DESC LIMIT ?7`,
      cursor ?? null,
      since === undefined ? null : Date.parse(since),
      until === undefined ? null : Date.parse(until),
      box ?? null,
      model === undefined ? null : withTag(model),
      kinds,
      limit + 1,
    );
    const page = rows.slice(0, limit);
    return {
      events: page.flatMap((row) => shownEvent(row) ?? []),
      next_cursor: rows.length > limit ? (page.at(-1)?.id ?? null) : null,
      kept: EVENTS_MAX,
      timestamp: isoOf(nowMs),
    };
  }

  /** Writes the repetitions that are only in memory. */
  write(): void {
    for (const kept of this.#newest.values()) if (kept.isDirty) this.#update(kept, kept.lastMs);
  }

  deleteOld(nowMs: number): void {
    if (this.#keptMs === null) return;
    this.write(); // an event is as old as its newest repetition
    this.#sql.exec("DELETE FROM events WHERE last_ms < ?", nowMs - this.#keptMs);
  }

  /** Returns when the oldest event is due for deletion, unix ms; null if none is by its age. */
  dueMs(): number | null {
    if (this.#keptMs === null) return null;
    const sql = "SELECT min(last_ms) AS last_ms FROM events";
    const { last_ms } = Oldest.parse(this.#sql.exec(sql).one());
    return last_ms === null ? null : last_ms + this.#keptMs;
  }

  clear(): void {
    this.#sql.exec("DELETE FROM events");
    this.#newest.clear();
  }

  #note(event: NewEvent, nowMs: number): void {
    const key = keyOf(event);
    const kept = this.#newest.get(key);
    if (
      kept !== undefined &&
      nowMs - kept.lastMs < FOLD_MS &&
      nowMs - kept.atMs < FOLD_SPAN_MS &&
      isFolded(event)
    ) {
      kept.event = folded(kept.event, event);
      kept.count++;
      kept.lastMs = nowMs;
      kept.isDirty = true;
      if (nowMs - kept.writtenMs >= WRITE_MS) this.#update(kept, nowMs);
      return;
    }
    if (kept?.isDirty === true) this.#update(kept, nowMs);
    const { kind, box, model, params } = event;
    const id = Number(
      this.#sql
        .exec(
          `INSERT INTO events (at_ms, last_ms, count, kind, box, model, params)
           VALUES (?1, ?1, 1, ?2, ?3, ?4, ?5) RETURNING id`,
          nowMs,
          kind,
          box,
          model,
          JSON.stringify(params),
        )
        .one().id,
    );
    this.#sql.exec("DELETE FROM events WHERE id <= ?", id - EVENTS_MAX);
    this.#newest.set(key, {
      ...{ id, atMs: nowMs, lastMs: nowMs, count: 1, event },
      ...{ writtenMs: nowMs, isDirty: false },
    });
    this.#forget(nowMs);
  }

  #update(kept: Kept, nowMs: number): void {
    this.#sql.exec(
      "UPDATE events SET last_ms = ?, count = ?, params = ? WHERE id = ?",
      kept.lastMs,
      kept.count,
      JSON.stringify(kept.event.params),
      kept.id,
    );
    kept.writtenMs = nowMs;
    kept.isDirty = false;
  }

  /** Bounds the memory: subjects that have been quiet for long are written and forgotten. */
  #forget(nowMs: number): void {
    for (const [key, kept] of this.#newest) {
      if (nowMs - kept.lastMs < FOLD_SPAN_MS) continue;
      if (kept.isDirty) this.#update(kept, nowMs);
      this.#newest.delete(key);
    }
  }

  #rows(clause: string, ...values: (string | number | null)[]): z.infer<typeof Row>[] {
    const rows = this.#sql.exec(
      `SELECT id, at_ms, last_ms, count, kind, box, model, params FROM events ${clause}`,
      ...values,
    );
    // A kind of a newer version, from before a rollback, is left out.
    return rows.toArray().flatMap((row) => Row.safeParse(row).data ?? []);
  }
}

/** Concerns and versions are never counted together: each has its own time and message. */
const isFolded = ({ kind }: NewEvent): boolean =>
  !["concern_opened", "concern_closed", "edge_updated", "box_added"].includes(kind);

/** The costs of tunnels that came back add up; otherwise the newest parameters count. */
function folded(before: NewEvent, event: NewEvent): NewEvent {
  if (before.kind !== "tunnel_back" || event.kind !== "tunnel_back") return event;
  const { requests_kept, requests_lost } = before.params;
  return { ...event, params: { ...event.params, requests_kept, requests_lost } };
}

const keyOf = ({ kind, box, model }: Pick<NewEvent, "kind" | "box" | "model">): string =>
  JSON.stringify([kind, box, model]);

function eventOf(
  row: Pick<z.infer<typeof Row>, "kind" | "box" | "model" | "params">,
): NewEvent | null {
  const { kind, box, model } = row;
  const { data: params } = eventParams(kind).safeParse(row.params);
  return params === undefined ? null : ({ kind, box, model, params } as NewEvent);
}

function shownEvent(row: z.infer<typeof Row>): MachineEvent | null {
  const event = eventOf(row);
  if (event === null) return null;
  const concern = "concern" in event.params ? event.params.concern : null;
  return MachineEvent.parse({
    id: row.id,
    at: isoOf(row.at_ms),
    last_at: isoOf(row.last_ms),
    count: row.count,
    ...event,
    severity: concern?.severity ?? null,
    code: concern?.code ?? null,
    text: eventText(event, PLAIN),
  });
}
