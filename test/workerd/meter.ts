/**
 * Counts what Cloudflare bills while the edge runs in workerd: calls of objects, messages, rows, alarms,
 * and the time in which an object handles something.
 *
 * The objects live in this isolate, so their classes and the storage's are wrapped. Time is virtual: it
 * stands still but for {@link Meter.pass}, which also runs the alarms that become due. Texts are left out
 * of the messages, since the platform answers heartbeats itself.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { Box } from "../../worker/box/box.ts";
import { Quota } from "../../worker/quota/quota.ts";
import { NO_UNITS, type Units, unitsOf } from "../support/cost/bill.ts";
import { objectMethods } from "../support/object-methods.ts";

type Method = (this: object, ...values: unknown[]) => unknown;
type Methods = Record<string, Method>;

/** Methods that the platform or their own object calls: they are no requests, or counted otherwise. */
const CALLED_INSIDE = new Set([
  "webSocketMessage",
  "webSocketClose",
  "webSocketError",
  "ingest",
  "observed",
]);

const realNow = Date.now;

const HOUR_MS = 3_600_000;
/** Sums that begin at a full hour contain the same hourly writes, whenever the test runs. */
const nextHourMs = (nowMs: number) => Math.ceil(nowMs / HOUR_MS) * HOUR_MS;

export class Meter {
  #units: Units = { ...NO_UNITS };
  #statements: { table: string; cursor: SqlStorageCursor<Record<string, SqlStorageValue>> }[] = [];
  /** Rows written by the last {@link of}, by table: they show what a sum that is too high consists of. */
  readonly written = new Map<string, number>();
  /** By storage, since each object has its own. */
  readonly #alarms = new Map<object, number>();
  readonly #undo: (() => void)[] = [];
  #nowMs = nextHourMs(realNow());
  readonly #handled = new Map<string, number>();
  readonly #beside: Promise<unknown>[] = [];
  /** Objects that handle something now, and since when. */
  readonly #busy = new Map<object, { handlers: number; sinceMs: number }>();

  /** Counts from now on, until {@link stop}. */
  async start(): Promise<void> {
    Date.now = () => this.#nowMs;
    this.#undo.push(() => {
      Date.now = realNow;
    });
    const isMessage = ([, message]: unknown[]) => typeof message !== "string";
    for (const [prototype, name] of objectMethods([Aggregator, Box, Quota]))
      this.#wrap(prototype, name, (run, object, values) => {
        if (!CALLED_INSIDE.has(name)) this.#units.objectRequests++;
        if (name === "webSocketMessage" && isMessage(values)) this.#units.messages++;
        return this.#handling(object, name, run);
      });
    await runInDurableObject(aggregatorOf(env), (_, state) => {
      const { storage } = state;
      // The platform answers heartbeats, and they follow the virtual clock.
      this.#wrap(
        Object.getPrototypeOf(state),
        "getWebSocketAutoResponseTimestamp",
        () => new Date(this.#nowMs),
      );
      this.#wrap(Object.getPrototypeOf(state), "waitUntil", (run, _object, [promise]) => {
        this.#beside.push(promise as Promise<unknown>);
        return run();
      });
      this.#wrap(Object.getPrototypeOf(storage.sql), "exec", (run, _object, [sql]) => {
        const cursor = run() as SqlStorageCursor<Record<string, SqlStorageValue>>;
        this.#statements.push({ table: tableOf(String(sql)), cursor });
        return cursor;
      });
      this.#wrap(Object.getPrototypeOf(storage.kv), "put", (run) => {
        this.#units.rowsWritten++;
        return run();
      });
      const prototype = Object.getPrototypeOf(storage);
      this.#wrap(prototype, "setAlarm", async (_run, object, [atMs]) => {
        this.#units.rowsWritten++;
        this.#alarms.set(object, Number(atMs));
      });
      this.#wrap(prototype, "getAlarm", async (_run, object) => this.#alarms.get(object) ?? null);
    });
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  get nowMs(): number {
    return this.#nowMs;
  }

  /** Resolves when everything that objects do beside their calls is over. */
  async untilOver(): Promise<void> {
    await Promise.allSettled(this.#beside.splice(0));
  }

  /** Counts a request to others, which a test answers itself. */
  subrequest(): void {
    this.#units.subrequests++;
  }

  /** Returns how many calls of a method have ended. */
  handled(name: string): number {
    return this.#handled.get(name) ?? 0;
  }

  /** Lets time pass, and runs the alarms of an object that are due. */
  async pass(ms: number, { storage, alarm }: Alarmed): Promise<void> {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const atMs = this.#alarms.get(storage) ?? Number.POSITIVE_INFINITY;
      if (atMs > untilMs) break;
      this.#nowMs = Math.max(this.#nowMs, atMs);
      this.#alarms.delete(storage);
      await alarm();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass to the next full hour. */
  async passToHour(alarmed: Alarmed): Promise<void> {
    await this.pass(nextHourMs(this.#nowMs) - this.#nowMs, alarmed);
  }

  /** Returns what `work` costs. */
  async of(work: () => Promise<void>): Promise<Units> {
    this.#count();
    const before = { ...this.#units };
    this.written.clear();
    await work();
    this.#count();
    return unitsOf((name) => this.#units[name] - before[name]);
  }

  /** Adds up the rows of the statements so far. */
  #count(): void {
    const units = { ...this.#units };
    for (const { table, cursor } of this.#statements.splice(0)) {
      const { rowsRead, rowsWritten } = cursor;
      units.rowsRead += rowsRead;
      units.rowsWritten += rowsWritten;
      if (rowsWritten > 0) this.written.set(table, (this.written.get(table) ?? 0) + rowsWritten);
    }
    this.#units = units;
  }

  #handling(object: object, name: string, run: () => unknown): unknown {
    const busy = this.#busy.get(object) ?? { handlers: 0, sinceMs: realNow() };
    if (busy.handlers++ === 0) busy.sinceMs = realNow();
    this.#busy.set(object, busy);
    const end = () => {
      this.#handled.set(name, this.handled(name) + 1);
      if (--busy.handlers === 0) this.#units.awakeMs += realNow() - busy.sinceMs;
    };
    const result = run();
    if (result instanceof Promise) return result.finally(end);
    end();
    return result;
  }

  #wrap(
    prototype: object,
    name: string,
    around: (run: () => unknown, object: object, values: unknown[]) => unknown,
  ): void {
    const methods = prototype as Methods;
    const method = methods[name] as Method;
    methods[name] = function (...values) {
      return around(() => method.apply(this, values), this, values);
    };
    this.#undo.push(() => {
      methods[name] = method;
    });
  }
}

/** The table that a statement writes. */
const tableOf = (sql: string): string => /(?:INTO|UPDATE|FROM)\s+(\w+)/.exec(sql)?.[1] ?? sql;

/** An object whose alarms the meter runs. */
export type Alarmed = { storage: object; alarm(): Promise<void> };

/** The Aggregator of the edge. Its storage is the same object at each call. */
export async function theAggregator(): Promise<Alarmed> {
  let storage: object = {};
  await runInDurableObject(aggregatorOf(env), (_, state) => {
    storage = state.storage;
  });
  return {
    storage,
    alarm: () => runInDurableObject(aggregatorOf(env), (object: Aggregator) => object.alarm()),
  };
}
