/**
 * The objects that count for keys with limits: the product's count of a key, on storage that outlives it.
 * Their messages come late and may be lost, they are killed, and their clock jumps.
 */
import type { KeyLimits } from "../../../protocol/api/key-limits.ts";
import type { AttachKey } from "../../../worker/box/attach.ts";
import type { CountsCalls } from "../../../worker/box/counted-calls.ts";
import type { CallUse } from "../../../worker/keys/call-use.ts";
import { isIn } from "../../../worker/keys/limit-windows.ts";
import {
  KeyCount,
  type LimitReached,
  NO_COUNT,
  type OfferedCall,
} from "../../../worker/keys/limits.ts";
import { KeyQuota } from "../../../worker/quota/key-quota.ts";
import { RegistryFailed } from "../box.ts";
import { broken } from "../broken.ts";
import { EPOCH_MS } from "../call-plan.ts";
import type { Chance } from "../chance.ts";
import { FAULTS_UNTIL_MS } from "../faults.ts";
import type { Schedule } from "../schedule.ts";

export type QuotasWorld = {
  schedule: Schedule;
  chance: Chance;
  limits: ReadonlyMap<string, KeyLimits>;
  callsOf(box: string, ids: readonly string[]): { held: string[]; over: string[] };
  /** Returns what those calls used that have a record. */
  usesOf(ids: readonly string[]): Record<string, CallUse>;
  isTroubled(): boolean;
  trace(line: string): void;
  onSettled(): void;
};

const MINUTE_MS = 60_000;

/** A call for the sake of the count, which is over at once. */
const isProbe = (id: string): boolean => id.startsWith("probe");

export class FleetQuotas {
  readonly #world: QuotasWorld;
  readonly #keys: ReadonlyMap<string, CountedKey>;

  constructor(world: QuotasWorld) {
    this.#world = world;
    this.#keys = new Map(
      [...world.limits].map(([lane, limits]) => [lane, new CountedKey(lane, limits, world)]),
    );
  }

  get refused(): number {
    return this.#sum(({ refused }) => refused);
  }

  get admitted(): number {
    return this.#sum(({ admitted }) => admitted.size);
  }

  /** Returns the key of a lane as its calls carry it; null without limits. */
  attachKeyOf(lane: string): AttachKey | null {
    const limits = this.#world.limits.get(lane) ?? null;
    return limits && { id: lane, version: 1, isFresh: false, lineage: lane, limits };
  }

  of(lane: string): CountsCalls {
    return this.#keys.get(lane) ?? broken(`no limits are counted for ${lane}`);
  }

  /** Passes on what a call used, as the Aggregator does with a record. */
  pass(lane: string, id: string): void {
    this.#keys.get(lane)?.pass(id);
  }

  restart(): void {
    for (const key of this.#keys.values()) key.restart();
  }

  moveClock(): void {
    for (const key of this.#keys.values()) key.moveClock();
  }

  /** Offers each key calls until its count has read what it may have missed. */
  async probe(round: number): Promise<void> {
    await Promise.all([...this.#keys.values()].map((key) => key.probe(round)));
  }

  /** At the end. @throws {Broken} */
  check(): void {
    for (const key of this.#keys.values()) key.check();
  }

  #sum(of: (key: CountedKey) => number): number {
    return [...this.#keys.values()].reduce((sum, key) => sum + of(key), 0);
  }
}

class CountedKey implements CountsCalls {
  readonly #lane: string;
  readonly #limits: KeyLimits;
  readonly #world: QuotasWorld;
  /** The calls that were admitted, each with the minute of the object's clock. */
  readonly admitted = new Map<string, number>();
  refused = 0;
  /** A limit that did not hold. An error would only fail the message. */
  #excess: string | null = null;
  #stored: unknown;
  #life = 0;
  #skewMs = 0;
  #core: KeyQuota;

  constructor(lane: string, limits: KeyLimits, world: QuotasWorld) {
    this.#lane = lane;
    this.#limits = limits;
    this.#world = world;
    this.#core = this.#wake();
  }

  admit(call: OfferedCall): Promise<LimitReached | null> {
    return this.#passed(() => this.#admit(call));
  }

  end(id: string, box: string): Promise<void> {
    return this.#passed(() => this.#core.end(id, box));
  }

  pass(id: string): void {
    const settling = this.#passed(() => this.#core.settle(this.#world.usesOf([id])));
    settling.catch(() => {}); // read later
  }

  restart(): void {
    this.#core = this.#wake();
  }

  /** The clock jumps and comes back, as that of another machine. */
  moveClock(): void {
    const { chance, schedule, trace } = this.#world;
    this.#skewMs = chance.pick([-3_600_000, -90_000, 3_600_000, 86_400_000]);
    trace(`the clock of ${this.#lane} moves by ${this.#skewMs} ms`);
    schedule.after(chance.between(1, 5_000), () => {
      this.#skewMs = 0;
    });
  }

  async probe(round: number): Promise<void> {
    const most = 1 + (this.#limits.parallel ?? 0);
    const ids = Array.from({ length: most }, (_, n) => `probe-${round}-${n}`);
    const call = (id: string) => ({ id, box: "box-0", isResume: false });
    await Promise.all(ids.map((id) => this.#core.admit(call(id), this.#limits)));
    for (const id of ids) this.#core.end(id, "box-0");
  }

  check(): void {
    if (this.#excess !== null) broken(this.#excess);
    const { calls, windows } = this.#count;
    const records = this.#world.usesOf([...calls.keys()]);
    for (const [id, { endedMs, reserved }] of calls) {
      if (isProbe(id)) continue;
      if (endedMs === null) broken(`${id} of ${this.#lane} stays open in the count of its key`);
      if (reserved !== null && records[id] !== undefined)
        broken(`${id} of ${this.#lane} stays reserved, although it has a record`);
    }
    const month = windows.month?.at(-1);
    // A clock that was set back counts calls in the month before.
    const isInMonth = (minute: number) =>
      month === undefined || isIn(month, "month", minute * MINUTE_MS);
    const ids = [...this.admitted].flatMap(([id, minute]) => (isInMonth(minute) ? [id] : []));
    const used = Object.values(this.#world.usesOf(ids));
    const known = used.reduce((sum, { tokens }) => sum + tokens.known, 0);
    if (this.#limits.tokens !== null && (month?.tokens ?? 0) < known)
      broken(`${this.#lane} used ${known} tokens, and ${month?.tokens} are counted`);
  }

  async #admit(call: OfferedCall): Promise<LimitReached | null> {
    const reached = await this.#core.admit(call, this.#limits);
    if (reached !== null) {
      this.refused++;
      this.#world.trace(`${call.id} exceeds ${reached.limit}`);
    } else if (!this.admitted.has(call.id) && !call.isResume) this.#note(call.id);
    return reached;
  }

  /** Notes a call, and whether the key has more in that minute than it may. */
  #note(id: string): void {
    const { endedMs, atMs } = this.#count.calls.get(id) ?? { endedMs: null, atMs: 0 };
    const minute = Math.floor(atMs / MINUTE_MS);
    if (endedMs === null) this.admitted.set(id, minute);
    const most = this.#limits.requests?.minute ?? Number.POSITIVE_INFINITY;
    const inMinute = [...this.admitted.values()].filter((each) => each === minute).length;
    if (inMinute > most)
      this.#excess ??= `${this.#lane} had ${inMinute} calls in a minute, and may ${most}`;
  }

  get #count(): KeyCount {
    return this.#stored === undefined ? NO_COUNT : KeyCount.parse(this.#stored);
  }

  /** A killed object does nothing more: what it had begun fails. */
  #wake(): KeyQuota {
    const { schedule, callsOf, usesOf, onSettled } = this.#world;
    const life = ++this.#life;
    const alive = () => {
      if (life !== this.#life) throw new RegistryFailed();
    };
    return new KeyQuota({
      kept: {
        get: () => structuredClone(this.#stored),
        put: (_, value) => {
          alive();
          this.#stored = structuredClone(value);
        },
      },
      callsOf: (box, ids) => this.#passed(() => callsOf(box, ids)),
      usesOf: (ids) => this.#passed(() => usesOf(ids)),
      now: () => {
        alive();
        return Math.floor(EPOCH_MS + schedule.nowMs + this.#skewMs);
      },
      wait: (ms) =>
        new Promise((resolve) => {
          schedule.after(ms, () => {
            onSettled();
            resolve();
          });
        }),
      meanwhile: (promise) => void promise.catch(() => {}),
    });
  }

  /** Sends a message to an object, which may get lost, or its answer. @throws {RegistryFailed} if so */
  #passed<Answer>(act: () => Answer | Promise<Answer>): Promise<Answer> {
    const { schedule, chance, isTroubled, onSettled } = this.#world;
    return new Promise((resolve, reject) => {
      const later = (run: () => void) => {
        schedule.after(chance.between(1, 10), () => {
          onSettled();
          run();
        });
      };
      later(() => {
        const isFailing = isTroubled() && schedule.nowMs < FAULTS_UNTIL_MS && chance.isLikely(0.02);
        if (isFailing && chance.isLikely(0.5)) return reject(new RegistryFailed());
        const acting = new Promise<Answer>((done) => done(act()));
        acting.then((answer) => {
          later(() => (isFailing ? reject(new RegistryFailed()) : resolve(answer)));
        }, reject);
      });
    });
  }
}
