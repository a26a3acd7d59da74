/**
 * Incidents: concerns over time. A concern that lasts becomes an incident, and one that stays away for a
 * while is over, so a figure that moves around its threshold is one incident. Pure.
 */
import * as z from "zod";
import { Concern } from "../../protocol/concern.ts";
import { CONCERN_LASTS_S } from "../../protocol/concern-timing.ts";

/** A concern that comes back within this time had not ended. */
export const CLOSES_AFTER_MS = 60_000;

export const Incident = z.object({
  key: z.string(),
  /** As it was noticed last. */
  concern: Concern,
  since_ms: z.number(),
  /** Null until it has lasted long enough. */
  opened_ms: z.number().nullable(),
  /** When it was first missed; null while it lasts. */
  absent_ms: z.number().nullable(),
  /** The targets that get, or got, a message about it. */
  targets: z.array(z.string()),
});
export type Incident = z.infer<typeof Incident>;

/** The same concern about the same subject has the same key, whatever its severity and figures. */
export const incidentKey = ({ code, subject }: Concern): string => JSON.stringify([code, subject]);

export type Judged = {
  /** All that go on. */
  incidents: Incident[];
  opened: Incident[];
  /** Were open, and are over. */
  closed: Incident[];
  /** Keys of those that go on and differ in more than the figures of their concern. */
  changed: string[];
  /** Keys of those that are over, also of those that never were open. */
  over: string[];
  /** When time alone would change something, unix ms; null: never. */
  dueMs: number | null;
};

/** @param concerns  everything that is wrong at `nowMs` */
export function judge(
  incidents: readonly Incident[],
  concerns: readonly Concern[],
  nowMs: number,
): Judged {
  const judged: Judged = {
    incidents: [],
    opened: [],
    closed: [],
    changed: [],
    over: [],
    dueMs: null,
  };
  const present = new Map(concerns.map((concern) => [incidentKey(concern), concern]));
  const downBoxes = new Set(
    concerns.flatMap(({ code, subject }) =>
      code === "box_down" && subject.kind === "box" ? [subject.box] : [],
    ),
  );
  const known = new Set(incidents.map(({ key }) => key));
  const begun = [...present].flatMap(([key, concern]): Incident[] =>
    known.has(key) ? [] : [begunIncident(key, concern, nowMs)],
  );
  for (const incident of [...incidents, ...begun]) {
    const concern = present.get(incident.key) ?? null;
    // Nothing is known about a box that is down: what was wrong with it neither lasts nor ends.
    if (concern === null && isAbout(incident.concern, downBoxes)) {
      const { opened_ms, absent_ms, key } = incident;
      if (opened_ms === null) judged.over.push(key);
      else judged.incidents.push({ ...incident, absent_ms: null });
      if (opened_ms !== null && absent_ms !== null) judged.changed.push(key);
      continue;
    }
    const next = concern === null ? missed(incident, nowMs) : lasting(incident, concern, nowMs);
    if (next === null) {
      judged.over.push(incident.key);
      if (incident.opened_ms !== null) judged.closed.push(incident);
      continue;
    }
    judged.incidents.push(next);
    const isNew = !known.has(incident.key);
    if (isNew || next.opened_ms !== incident.opened_ms || next.absent_ms !== incident.absent_ms)
      judged.changed.push(next.key);
    if (next.opened_ms !== null && incident.opened_ms === null) judged.opened.push(next);
    const dueMs = dueOf(next);
    if (dueMs !== null) judged.dueMs = Math.min(judged.dueMs ?? dueMs, dueMs);
  }
  return judged;
}

function begunIncident(key: string, concern: Concern, nowMs: number): Incident {
  const sinceMs = concern.since === null ? nowMs : Date.parse(concern.since);
  const since_ms = Math.min(nowMs, sinceMs);
  return { key, concern, since_ms, opened_ms: null, absent_ms: null, targets: [] };
}

function lasting(incident: Incident, concern: Concern, nowMs: number): Incident {
  const isOld = nowMs - incident.since_ms >= CONCERN_LASTS_S[concern.code] * 1_000;
  const opened_ms = incident.opened_ms ?? (isOld ? nowMs : null);
  return { ...incident, concern, opened_ms, absent_ms: null };
}

/** @returns null if it is over */
function missed(incident: Incident, nowMs: number): Incident | null {
  const absent_ms = incident.absent_ms ?? nowMs;
  return nowMs - absent_ms >= CLOSES_AFTER_MS ? null : { ...incident, absent_ms };
}

function dueOf({ concern, since_ms, opened_ms, absent_ms }: Incident): number | null {
  if (absent_ms !== null) return absent_ms + CLOSES_AFTER_MS;
  return opened_ms === null ? since_ms + CONCERN_LASTS_S[concern.code] * 1_000 : null;
}

const isAbout = ({ code, subject }: Concern, boxes: ReadonlySet<string>): boolean =>
  code !== "box_down" && "box" in subject && boxes.has(subject.box);
