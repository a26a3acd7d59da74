/**
 * A simulated Box: the product's relay, in an object that sleeps, wakes and is moved, on simulated
 * sockets that outlive its memory.
 */

import { HEARTBEAT_MS } from "../../protocol/limits.ts";
import type { Hello } from "../../protocol/messages.ts";
import type { ReportedRecord, RequestRecord } from "../../protocol/records.ts";
import type { Attach, AttachKey } from "../../worker/box/attach.ts";
import { CountedCalls, type CountsCalls } from "../../worker/box/counted-calls.ts";
import type { ModelLoad } from "../../worker/box/load.ts";
import { Relay } from "../../worker/box/relay.ts";
import type { BoxRegistry } from "../../worker/box/reports.ts";
import type { Attachment, SocketHost } from "../../worker/box/sockets.ts";
import type { OfferedCall } from "../../worker/keys/limits.ts";
import { EPOCH_MS, simulatedSealOf } from "./call-plan.ts";
import type { End } from "./link.ts";
import type { AttachAnswer, Take } from "./network.ts";
import type { Schedule } from "./schedule.ts";

export type BoxWorld = {
  /** The name of the box. */
  name: string;
  schedule: Schedule;
  /** Puts records into the ledger. @throws if they may not be in it */
  ingest(records: RequestRecord[]): Promise<void>;
  /** Registers the agent. @throws if the registry fails */
  connected(hello: Hello, atMs: number): Promise<void>;
  /** Takes the rest of what the Box reports of its agent; null if nobody reads it. */
  registry: Pick<BoxRegistry, "draining" | "read" | "gone"> | null;
  /** Returns the object that counts for a key. Missing in worlds without limits. */
  quotaOf?: (lineage: string) => CountsCalls;
  /** Promises are about to settle. */
  onSettled(): void;
  /** Something failed that must not fail. */
  onCrash(error: unknown): void;
};

/** A registry or ledger that failed. The agent sends again what matters. */
export class RegistryFailed extends Error {}

/** The request of a stream. `carried`: its first frames, as one message; null without any. */
export type StreamRequest = Omit<Attach, "box" | "keepsText"> & { carried: Uint8Array | null };

type Accepted = { attachment: Attachment; pingedMs: number | null };

export class SimulatedBox {
  readonly #world: BoxWorld;
  #accepted = new Map<End, Accepted>();
  /** Links of streams that the Box has not decided about. */
  readonly #undecided = new Set<End>();
  #life = 0;
  /** Number of calls that this life has begun and not finished. */
  #underWay = 0;
  #core: Relay<End>;
  #counted: CountedCalls;

  constructor(world: BoxWorld) {
    this.#world = world;
    [this.#core, this.#counted] = this.#wake();
  }

  connect(end: End): void {
    this.#listen(end);
    this.#core.connect(end, this.#world.name);
  }

  /** Decides about a stream, as `worker/box/box.ts` does. */
  attach(end: End, request: StreamRequest, answer: Parameters<Take>[1]): void {
    const { id, model, key, openMost, isResume, carried, waitMs } = request;
    const [core, counted] = [this.#core, this.#counted];
    const call = { id, box: this.#world.name, isResume };
    const decided = (decision: AttachAnswer) => {
      this.#undecided.delete(end);
      answer(decision);
    };
    const refusal = (): AttachAnswer | null => {
      if (isResume) return null;
      const refused = core.refusal(this.#world.name);
      if (refused !== null) return { kind: "refused", reason: refused.reason };
      const load = model === null || openMost === null ? null : core.loadOf(model);
      return load !== null && load.open > (openMost ?? 0) ? { kind: "busier", load } : null;
    };
    const decide = async () => {
      const hasWaited = !isResume && waitMs > 0 && (await core.agentBack(waitMs));
      if (core !== this.#core) return; // lost with the object, and the link with it
      const refused = refusal();
      if (refused === null && key !== null) {
        const limited = await uncounted(counted, key, call);
        if (core !== this.#core) return;
        if (limited !== null) return decided(limited);
        const late = refusal();
        if (late !== null) {
          counted.turnedAway(key, call);
          return decided(late);
        }
      }
      if (refused !== null) return decided(refused);
      this.#undecided.delete(end);
      const load = isResume || model === null ? null : core.loadOf(model);
      const message = hasWaited || isResume ? null : carried;
      const withIt = load && { ...load, open: load.open + 1 };
      answer({ kind: "taken", isRelayed: message !== null, load: withIt });
      this.#listen(end);
      core.attach(end, { box: this.#world.name, id, isResume, model, key }, message);
    };
    this.#undecided.add(end);
    this.#run(decide());
    this.#world.onSettled();
  }

  /** Returns which of these calls have a stream here, and which are over. */
  callsOf(ids: readonly string[]): { held: string[]; over: string[] } {
    return this.#counted.of(ids);
  }

  /** Returns the load of a model, as the Box counts it. */
  loadOf(model: string): ModelLoad {
    return this.#core.loadOf(model);
  }

  /** Loses the memory and keeps the sockets. Not during a call: the platform lets it finish. */
  hibernate(): void {
    this.#world.onSettled();
    this.#world.schedule.after(0, () => {
      if (this.#underWay === 0) [this.#core, this.#counted] = this.#wake();
    });
  }

  /** Loses memory and sockets: the object is moved, or has crashed. */
  restart(): void {
    for (const end of [...this.#accepted.keys(), ...this.#undecided]) end.reset();
    this.#undecided.clear();
    this.#accepted = new Map();
    [this.#core, this.#counted] = this.#wake();
  }

  #wake(): [Relay<End>, CountedCalls] {
    const { schedule, onSettled, quotaOf } = this.#world;
    const now = () => Math.floor(EPOCH_MS + schedule.nowMs);
    const life = ++this.#life;
    this.#underWay = 0;
    const wait = (ms: number): Promise<void> =>
      new Promise((resolve) => {
        schedule.after(ms, () => {
          if (life !== this.#life) return;
          onSettled();
          resolve();
        });
      });
    const meanwhile = (promise: Promise<unknown>) => life === this.#life && this.#run(promise);
    const host = this.#host();
    const core = new Relay({
      sockets: host,
      registry: () => this.#registry(),
      ended: (end) => counted.ended(host.attachmentOf(end)),
      certify: () => Promise.reject(new Error("no box has joined")),
      welcome: () => ({
        edge_version: "0.0.0",
        now_ms: 0,
        heartbeat_ms: HEARTBEAT_MS,
        relays_waiting: true,
      }),
      now,
      wait,
      meanwhile: (promise) => this.#run(promise),
      log: () => {},
    });
    const counted = new CountedCalls(
      {
        quotaOf: (lineage) => {
          if (quotaOf === undefined || life !== this.#life) throw new RegistryFailed();
          return quotaOf(lineage);
        },
        wait,
        meanwhile,
        log: () => {},
      },
      core.calls,
    );
    return [core, counted];
  }

  #listen(end: End): void {
    end.onMessage = (message) => {
      if (this.#undecided.size > 0) this.#world.onSettled(); // it may be the agent's return
      const socket = this.#accepted.get(end);
      if (typeof message !== "string") this.#run(this.#core.received(end, message));
      else if (socket !== undefined && end.isOpen) {
        socket.pingedMs = Math.floor(EPOCH_MS + this.#world.schedule.nowMs); // By the platform: the object may be asleep.
        end.send("pong");
      }
    };
    end.onClose = (code) => {
      const [counted, closed] = [this.#counted, this.#accepted.get(end)?.attachment];
      const closing = this.#core.closed(end, code);
      this.#run(closing.then(() => closed !== undefined && counted.closed(closed)));
      this.#accepted.delete(end);
    };
  }

  #run(promise: Promise<unknown>): void {
    const life = this.#life;
    const over = () => {
      if (life === this.#life) this.#underWay--;
    };
    this.#underWay++;
    promise.then(over, (error: unknown) => {
      over();
      if (!(error instanceof RegistryFailed)) this.#world.onCrash(error);
    });
  }

  #registry(): BoxRegistry {
    const { ingest, connected, registry } = this.#world;
    const done = () => Promise.resolve();
    const settled = async (hello: Hello, atMs: number) => {
      await connected(hello, atMs);
      return { keep_text: true };
    };
    const report = (_: string, reported: ReportedRecord[], malformed: number) => {
      if (malformed > 0) throw new Error(`${malformed} records that cannot be read`);
      return ingest(reported.map(unsealed));
    };
    const rest = registry ?? { draining: done, read: done, gone: done };
    return { report, connected: settled, ...rest };
  }

  #host(): SocketHost<End> {
    const of = (end: End): Accepted => {
      const known = this.#accepted.get(end);
      if (known === undefined) throw new Error("a socket that was never accepted");
      return known;
    };
    return {
      accept: (end, attachment) => void this.#accepted.set(end, { attachment, pingedMs: null }),
      accepted: (tag) =>
        [...this.#accepted]
          .filter(([, { attachment }]) => isTagged(attachment, tag))
          .map(([end]) => end),
      attachmentOf: (end) => of(end).attachment,
      attach: (end, attachment) => {
        of(end).attachment = attachment;
      },
      pingedMs: (end) => of(end).pingedMs,
    };
  }
}

/** Counts a call of a key. Returns why it is refused; null if it is not. */
async function uncounted(
  counted: CountedCalls,
  key: AttachKey,
  call: OfferedCall,
): Promise<AttachAnswer | null> {
  try {
    const reached = await counted.admit(key, call);
    return reached && { kind: "limited", reached };
  } catch {
    counted.turnedAway(key, call);
    return { kind: "limited", reached: null };
  }
}

/** @throws if a record of the tunnel does not bring its seal back */
function unsealed({ seal, ...record }: ReportedRecord): RequestRecord {
  if (seal !== simulatedSealOf(record.request_id))
    throw new Error(`record ${record.request_id} came with the seal ${seal}`);
  return record;
}

const isTagged = (attachment: Attachment, tag: string): boolean =>
  attachment.kind === tag || (attachment.kind === "stream" && attachment.id === tag);
