/**
 * Notices concerns that begin and end, remembers them as events, and has messages about them sent.
 *
 * Concerns are judged when something arrives, so this costs nothing while nothing is wrong. Only if there
 * are targets, an alarm also looks for boxes that went silent.
 */
import type { Concern } from "../../protocol/concern.ts";
import type { ConcernCode } from "../../protocol/concerns.ts";
import type { NewEvent } from "../../protocol/events.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { Incident, type Judged, judge } from "../alerting/incidents.ts";
import { withClosed, withOpened } from "../alerting/notices.ts";
import { wants } from "../alerting/target.ts";
import { concernsOf, type Observed } from "../answers/concerns.ts";
import { type RegisteredBox, silentFromMs } from "../registered-box.ts";
import { JsonRows } from "../storage/json-rows.ts";
import type { EventStore } from "./events.ts";
import type { Notifier } from "./notifier.ts";

/** The shortest time between two judgements of what arrives. */
const LOOK_MS = 30_000;
/**
 * Figures of the last minutes fall without anything that arrives. As long as a box is connected, its
 * readings arrive; otherwise an alarm, which is billed.
 */
const RECHECK_MS = 30 * 60_000;
const RECENT: ReadonlySet<ConcernCode> = new Set([
  ...(["error_rate_high", "latency_high", "queue_long"] as const),
  ...(["model_latency_high", "model_errors_high"] as const),
]);

export type AlertSources = {
  events: EventStore;
  notifier: Notifier;
  boxes: () => RegisteredBox[];
  observe: (nowMs: number) => Observed;
  /** Makes the weekly summaries that are due. */
  summarize: (nowMs: number) => Promise<void>;
};

export class Alerts {
  readonly #storage: DurableObjectStorage;
  readonly #from: AlertSources;
  readonly #incidents: JsonRows<Incident>;
  #lookedMs = 0;
  #judgedDueMs: number | null;
  /** Called when a judgement, a summary or a message may be due earlier than before. */
  onChanged: () => void = () => {};

  constructor(storage: DurableObjectStorage, from: AlertSources, nowMs: number) {
    this.#storage = storage;
    this.#from = from;
    this.#incidents = new JsonRows(storage.sql, "incidents", Incident);
    const isUndecided = this.#incidents
      .all()
      .some(({ opened_ms, absent_ms }) => opened_ms === null || absent_ms !== null);
    this.#judgedDueMs = isUndecided ? nowMs : null;
  }

  /** Judges what is wrong now, unless it was judged a moment ago. */
  look(nowMs: number): void {
    if (nowMs - this.#lookedMs >= LOOK_MS) this.lookNow(nowMs);
  }

  /** Returns what is wrong now. */
  now(nowMs: number): Concern[] {
    return concernsOf(this.#from.observe(nowMs));
  }

  /** Never throws: what arrived is taken all the same. */
  lookNow(nowMs: number): void {
    try {
      this.judge(nowMs);
    } catch (error) {
      console.error(error);
    }
    this.onChanged();
  }

  /** Judges what is wrong now. */
  judge(nowMs: number): void {
    this.#lookedMs = nowMs;
    const observed = this.#from.observe(nowMs);
    const concerns = concernsOf(observed);
    const judged = judge(this.#incidents.all(), concerns, nowMs);
    this.#storage.transactionSync(() => this.#take(judged, nowMs));
    this.#judgedDueMs = judged.dueMs;
    const isRecent = judged.incidents.some(({ concern }) => RECENT.has(concern.code));
    if (isRecent && observed.boxes.every(({ state }) => state === "down"))
      this.#judgedDueMs = Math.min(judged.dueMs ?? Number.MAX_SAFE_INTEGER, nowMs + RECHECK_MS);
  }

  /** Returns when {@link judge} is due, unix ms; null if nothing waits for it. */
  dueMs(): number | null {
    const due = [this.#judgedDueMs, this.#silenceDueMs()].filter((at) => at !== null);
    return due.length === 0 ? null : Math.min(...due);
  }

  /** Makes the weekly summaries that are due. */
  summarize(nowMs: number): Promise<void> {
    return this.#from.summarize(nowMs);
  }

  /** Writes what {@link judge} decided. */
  #take({ incidents, opened, closed, changed, over }: Judged, nowMs: number): void {
    const now = { nowMs, newId: () => newRequestId(nowMs) };
    const { events, notifier } = this.#from;
    for (const incident of incidents) {
      const receiving = this.#receiving(incident, opened.includes(incident));
      for (const target of receiving)
        notifier.change(target.id, (notices) => withOpened(notices, target, incident, now));
      const targets = [...incident.targets, ...receiving.map(({ id }) => id)];
      if (receiving.length > 0 || changed.includes(incident.key))
        this.#incidents.put(incident.key, { ...incident, targets });
      else this.#incidents.note(incident.key, incident);
    }
    for (const incident of closed)
      for (const target of notifier.targets.filter(({ id }) => incident.targets.includes(id)))
        notifier.change(target.id, (notices) => withClosed(notices, target, incident, now));
    for (const key of over) this.#incidents.delete(key);
    events.note(
      [...opened.map(openedEvent), ...closed.map((each) => closedEvent(each, nowMs))],
      nowMs,
    );
  }

  /** Returns the targets that get a message about an incident now. */
  #receiving({ concern, opened_ms, targets }: Incident, isNew: boolean): Notifier["targets"] {
    // Also those that became critical: some targets want only these.
    if (opened_ms === null || !(isNew || concern.severity === "critical")) return [];
    const receiving = this.#from.notifier.targets
      .filter(({ id }) => !targets.includes(id))
      .filter((target) => wants(target, concern.severity))
      .filter(({ created_at_ms }) => created_at_ms <= opened_ms);
    return receiving.length === 0 || this.#isSimulated(concern) ? [] : receiving;
  }

  /** Without targets nobody waits for it, and the next message of another box finds out. */
  #silenceDueMs(): number | null {
    if (this.#from.notifier.targets.length === 0) return null;
    const silent = this.#from
      .boxes()
      .filter(({ state, hello }) => state !== "down" && !hello.simulated)
      .map(silentFromMs)
      .filter((atMs) => atMs > this.#lookedMs);
    return silent.length === 0 ? null : Math.min(...silent);
  }

  /** A simulated box may be stopped at any time, as for the Prometheus alerts. */
  #isSimulated({ subject }: Concern): boolean {
    const boxes = this.#from.boxes();
    const about = "box" in subject ? boxes.filter(({ name }) => name === subject.box) : boxes;
    return about.length > 0 && about.every(({ hello }) => hello.simulated);
  }
}

const subjectOf = ({ subject }: Concern): Pick<NewEvent, "box" | "model"> => ({
  box: "box" in subject ? subject.box : null,
  model: "model" in subject ? subject.model : null,
});

const openedEvent = ({ concern, since_ms }: Incident): NewEvent => ({
  ...subjectOf(concern),
  kind: "concern_opened",
  params: { concern, since: new Date(since_ms).toISOString() },
});

const closedEvent = ({ concern, since_ms, absent_ms }: Incident, nowMs: number): NewEvent => ({
  ...subjectOf(concern),
  kind: "concern_closed",
  params: {
    concern,
    since: new Date(since_ms).toISOString(),
    lasted_ms: (absent_ms ?? nowMs) - since_ms,
  },
});
