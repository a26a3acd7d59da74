/**
 * A key with limits, its object, and the Boxes that serve it, in a world where each of them is killed at any
 * time. Storage outlives its object, and sockets outlive the hibernation of a Box.
 */
import type { KeyLimits, LimitsLeft } from "../../protocol/api/key-limits.ts";
import { CountedCalls } from "../../worker/box/counted-calls.ts";
import { newStream } from "../../worker/box/sockets.ts";
import type { CallUse } from "../../worker/keys/call-use.ts";
import type { LimitReached } from "../../worker/keys/limits.ts";
import { KeyQuota } from "../../worker/quota/key-quota.ts";

const LINEAGE = "00112233aabbccdd";

/** Retries wait for nothing here. */
const RETRY_MS_MAX = 500;

type World = { limits: KeyLimits; boxes: readonly string[]; isLost?: () => boolean };

export class QuotaWorld {
  readonly #limits: KeyLimits;
  readonly #isLost: () => boolean;
  readonly #storage = new Map<string, unknown>();
  readonly #boxes: Map<string, { counted: CountedCalls; sockets: Set<string> }>;
  /** The records of calls that are in the ledger. */
  readonly ledger = new Map<string, CallUse>();
  #life = 0;
  #quota: KeyQuota;
  #passedMs = 0;
  #timers: { atMs: number; ring: () => void }[] = [];
  /** The clock of the object, which can be set; see {@link pass} for time. */
  nowMs = Date.parse("2027-01-01T12:00:00Z");

  /** @param isLost  whether a message gets lost, or its answer */
  constructor({ limits, boxes, isLost = () => false }: World) {
    this.#limits = limits;
    this.#isLost = isLost;
    this.#quota = this.#newQuota();
    this.#boxes = new Map(boxes.map((name) => [name, this.#newBox(new Set())]));
  }

  /** Lets time pass, and what waited for it act. */
  async pass(ms: number): Promise<void> {
    this.nowMs += ms;
    this.#passedMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#passedMs);
    this.#timers = this.#timers.filter((timer) => !due.includes(timer));
    for (const { ring } of due) ring();
    await new Promise((resolve) => setTimeout(resolve));
  }

  readonly #wait = (ms: number): Promise<void> =>
    ms < RETRY_MS_MAX
      ? Promise.resolve()
      : new Promise((ring) => this.#timers.push({ atMs: this.#passedMs + ms, ring }));

  /** Offers a call to a Box. It has a socket there if it is admitted. */
  async offer(id: string, box: string, isResume = false): Promise<LimitReached | null | "failed"> {
    const { counted, sockets } = this.#boxOf(box);
    const call = { id, box, isResume };
    try {
      const reached = await counted.admit(this.#key, call);
      // The Box may have been killed meanwhile, and the call with it.
      if (reached === null && counted !== this.#boxOf(box).counted) return "failed";
      if (reached === null) sockets.add(id);
      return reached;
    } catch {
      counted.turnedAway(this.#key, call);
      return "failed";
    }
  }

  /** The agent ends a call, whose socket is still open. */
  end(id: string, box: string): void {
    this.#boxOf(box).counted.ended(this.#stream(id, box));
  }

  /** The socket of a call is closed. */
  close(id: string, box: string): void {
    const { counted, sockets } = this.#boxOf(box);
    if (sockets.delete(id)) counted.closed(this.#stream(id, box));
  }

  hibernate(box: string): void {
    this.#boxes.set(box, this.#newBox(this.#boxOf(box).sockets));
  }

  /** A Box is killed, with its sockets. They close without an event. */
  restart(box: string): void {
    this.#boxes.set(box, this.#newBox(new Set()));
  }

  restartQuota(): void {
    this.#quota = this.#newQuota();
  }

  /** The Aggregator passes on what a call used. */
  settle(id: string): void {
    const use = this.ledger.get(id);
    if (use !== undefined) this.#quota.settle({ [id]: use });
  }

  left(): LimitsLeft {
    return this.#quota.left(this.#limits);
  }

  #boxOf(name: string) {
    const box = this.#boxes.get(name);
    if (box === undefined) throw new Error(`no box is named ${name}`);
    return box;
  }

  get #key() {
    return { id: LINEAGE, version: 1, isFresh: false, lineage: LINEAGE, limits: this.#limits };
  }

  #stream = (id: string, box: string) => newStream({ box, id, model: null, key: this.#key });

  async #passed<Answer>(call: () => Answer | Promise<Answer>): Promise<Answer> {
    if (this.#isLost()) throw new Error("lost on its way");
    const answer = await call();
    if (this.#isLost()) throw new Error("the answer was lost");
    return answer;
  }

  #newBox(sockets: Set<string>) {
    const counted = new CountedCalls(
      {
        quotaOf: () => ({
          admit: (call, limits) => this.#passed(() => this.#quota.admit(call, limits)),
          end: (id, box) => this.#passed(() => this.#quota.end(id, box)),
        }),
        wait: this.#wait,
        meanwhile: (promise) => void promise.catch(() => {}),
        log: () => {},
      },
      { holds: (id) => sockets.has(id) },
    );
    return { counted, sockets };
  }

  /** A killed object does nothing more: what it had begun fails. */
  #newQuota(): KeyQuota {
    const life = ++this.#life;
    const alive = () => {
      if (life !== this.#life) throw new Error("the object was killed");
    };
    return new KeyQuota({
      kept: {
        get: (name) => structuredClone(this.#storage.get(name)),
        put: (name, value) => {
          alive();
          this.#storage.set(name, structuredClone(value));
        },
      },
      callsOf: (box, ids) => this.#passed(() => this.#boxOf(box).counted.of(ids)),
      usesOf: (ids) =>
        this.#passed(() =>
          Object.fromEntries(
            ids.flatMap((id) => {
              const use = this.ledger.get(id);
              return use === undefined ? [] : [[id, use]];
            }),
          ),
        ),
      now: () => {
        alive();
        return this.nowMs;
      },
      wait: this.#wait,
      meanwhile: (promise) => void promise.catch(() => {}),
    });
  }
}
