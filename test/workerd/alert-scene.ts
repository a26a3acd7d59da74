/**
 * An Aggregator with one box, in virtual time: the box sends readings, and alarms run when they are due.
 * Receivers of messages are real.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { inject, vi } from "vitest";
import { NewTarget } from "../../protocol/api/notifications.ts";
import type { Readings } from "../../protocol/inventory.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import type { Bindings } from "../../worker/env.ts";
import type { Received } from "../support/received.ts";
import { gpuOf, readingsOf, systemOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

/** The pause between two readings. */
export const STEP_MS = 15_000;

export type Reading = (healthy: Readings) => Readings;

const healthy = (): Readings => ({
  ...readingsOf(
    Date.now(),
    ["llama3.2:latest"],
    [gpuOf("atlas", Date.now(), { utilization_percent: 3 })],
    ["llama3.2:latest"],
    [systemOf(Date.now())],
  ),
  now_ms: Date.now(),
});

export class AlertScene {
  readonly aggregator: Aggregator;
  readonly #storage: DurableObjectStorage;
  readonly #beside: Promise<unknown>[] = [];
  read: Reading | null = (readings) => readings;
  /** The requests that end between two readings. */
  calls: () => RequestRecord[] = () => [];

  constructor(aggregator: Aggregator, state: DurableObjectState) {
    this.aggregator = aggregator;
    this.#storage = state.storage;
    vi.spyOn(Object.getPrototypeOf(state), "waitUntil").mockImplementation((promise) => {
      this.#beside.push(promise as Promise<unknown>);
    });
  }

  /** Lets time pass: the box sends readings, and alarms that are due run. */
  async pass(ms: number): Promise<void> {
    for (const endMs = Date.now() + ms; Date.now() < endMs; ) {
      vi.setSystemTime(Date.now() + STEP_MS);
      if (this.read !== null) await this.aggregator.read("atlas", this.read(healthy()));
      const calls = this.calls();
      if (calls.length > 0) await this.aggregator.ingest(calls, true);
      const alarmMs = await this.#storage.getAlarm();
      if (alarmMs !== null && alarmMs <= Date.now()) {
        await this.#storage.deleteAlarm();
        await this.aggregator.alarm();
      }
      while (this.#beside.length > 0) await Promise.all(this.#beside.splice(0));
    }
  }

  /** Lets time pass in which nothing arrives and no alarm runs. */
  skip(ms: number): void {
    vi.setSystemTime(Date.now() + ms);
  }

  async add(wish: object) {
    const { result } = await this.aggregator.targets({ act: "add", target: NewTarget.parse(wish) });
    return result as { id: string };
  }
}

/** @param settings  replace those that the Aggregator has in other tests */
export async function scene<Result>(
  work: (scene: AlertScene) => Promise<Result>,
  settings: Partial<Bindings> | null = null,
): Promise<Result> {
  return runInDurableObject(await freshAggregator(), (plain: Aggregator, state) => {
    const object = settings === null ? plain : new Aggregator(state, { ...env, ...settings });
    return work(new AlertScene(object, state));
  });
}

/** Returns the address of a path of the receiver, and what it got there. */
export function receiver(behaviour: string) {
  const name = crypto.randomUUID();
  const url = inject("receiver");
  return {
    kind: "webhook",
    url: `${url}/${behaviour}/${name}`,
    received: async (): Promise<Received[]> => (await fetch(`${url}/received/${name}`)).json(),
  };
}

export const pick = ({ kind, url }: { kind: string; url: string }) => ({ kind, url });
