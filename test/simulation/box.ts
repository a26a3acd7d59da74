/** A simulated Box: the product's relay, in an object that sleeps, wakes and is moved, on simulated sockets that outlive its memory. */

import { HEARTBEAT_MS } from "../../protocol/limits.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { Relay } from "../../worker/box/relay.ts";
import type { BoxRegistry } from "../../worker/box/reports.ts";
import type { Attachment, SocketHost } from "../../worker/box/sockets.ts";
import type { End } from "./link.ts";
import type { Schedule } from "./schedule.ts";

export type BoxWorld = {
  schedule: Schedule;
  /** The ledger takes records. @throws when they may not be in it */
  ingest(records: RequestRecord[]): Promise<void>;
  /** The registry of boxes hears of the agent. @throws when it does not answer */
  connected(): Promise<void>;
  /** Promises wait to be settled. */
  onSettled(): void;
  /** What must not happen happened. */
  onCrash(error: unknown): void;
};

/** A registry or ledger that failed: the agent sends again what matters. */
export class RegistryFailed extends Error {}

type Accepted = { attachment: Attachment; pingedMs: number | null };

export class SimulatedBox {
  readonly #world: BoxWorld;
  #accepted = new Map<End, Accepted>();
  #life = 0;
  /** What this life has begun and not finished. */
  #underWay = 0;
  #core: Relay<End>;

  constructor(world: BoxWorld) {
    this.#world = world;
    this.#core = this.#wake();
  }

  connect(end: End): void {
    this.#listen(end);
    this.#core.connect(end, "box");
  }

  /** @returns whether the stream is taken */
  attach(end: End, id: string, isResume: boolean): boolean {
    if (!isResume && this.#core.refusal("box") !== null) return false;
    this.#listen(end);
    this.#core.attach(end, id, isResume);
    return true;
  }

  /** Its memory is gone, and its sockets stay. Not while it does something: the platform lets it finish. */
  hibernate(): void {
    this.#world.onSettled();
    this.#world.schedule.after(0, () => {
      if (this.#underWay === 0) this.#core = this.#wake();
    });
  }

  /** The object is moved, or crashed: memory and sockets are gone. */
  restart(): void {
    for (const end of this.#accepted.keys()) end.reset();
    this.#accepted = new Map();
    this.#core = this.#wake();
  }

  #wake(): Relay<End> {
    const { schedule, onSettled } = this.#world;
    const life = ++this.#life;
    this.#underWay = 0;
    return new Relay({
      sockets: this.#host(),
      registry: () => this.#registry(),
      welcome: () => ({ edge_version: "0.0.0", now_ms: 0, heartbeat_ms: HEARTBEAT_MS }),
      now: () => schedule.nowMs,
      wait: (ms) =>
        new Promise((resolve) => {
          schedule.after(ms, () => {
            if (life !== this.#life) return;
            onSettled();
            resolve();
          });
        }),
      meanwhile: (promise) => this.#run(promise),
      log: () => {},
    });
  }

  #listen(end: End): void {
    end.onMessage = (message) => {
      const socket = this.#accepted.get(end);
      if (typeof message !== "string") this.#run(this.#core.received(end, message));
      else if (socket !== undefined && end.isOpen) {
        socket.pingedMs = this.#world.schedule.nowMs; // by the platform: the object may sleep
        end.send("pong");
      }
    };
    end.onClose = (code) => {
      this.#run(this.#core.closed(end, code));
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
    const { ingest, connected } = this.#world;
    const heard = () => Promise.resolve();
    return { ingest, connected, draining: heard, read: heard, gone: heard };
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

const isTagged = (attachment: Attachment, tag: string): boolean =>
  attachment.kind === tag || (attachment.kind === "stream" && attachment.id === tag);
