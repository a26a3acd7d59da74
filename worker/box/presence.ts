/**
 * The presence of a box's agent: the socket that is its own, whether it is alive, and how long ago
 * it was lost. An agent that drains, or was lost a moment ago, is awaited, because it nearly always
 * comes back.
 */
import { parsePayload } from "../../protocol/frames.ts";
import { ONLY_HOLDER_MS, SILENCE_MS } from "../../protocol/limits.ts";
import { Drain } from "../../protocol/messages.ts";
import { agentOf, type BoxSockets, isOpen, type RelaySocket, type SocketHost } from "./sockets.ts";

/** Private close codes (4000-4999). The agent logs the reason. */
export const CLOSE_REPLACED = 4_000;
export const CLOSE_NAME_TAKEN = 4_009;

export type PresenceShell<Socket extends RelaySocket> = {
  sockets: SocketHost<Socket>;
  /** Unix ms. */
  now(): number;
  wait(ms: number): Promise<void>;
};

export class AgentPresence<Socket extends RelaySocket> {
  readonly #shell: PresenceShell<Socket>;
  readonly #sockets: BoxSockets<Socket>;
  readonly #onSilent: (socket: Socket) => void;
  #seenMs = 0;
  /** When the agent was lost. After a restart, now: an agent may be on its way back. */
  #lostMs: number;
  #cameMs = 0;
  #awaiting: (() => void)[] = [];

  /** @param onSilent  called with a socket that was closed because its heartbeat has stopped */
  constructor(
    shell: PresenceShell<Socket>,
    sockets: BoxSockets<Socket>,
    onSilent: (socket: Socket) => void,
  ) {
    this.#shell = shell;
    this.#sockets = sockets;
    this.#onSilent = onSilent;
    this.#lostMs = shell.now();
  }

  /** Returns the agent's socket, if the agent is alive. Closes one whose heartbeat has stopped. */
  live(): Socket | null {
    const { sockets: host, now } = this.#shell;
    const { agent } = this.#sockets;
    if (agent === null) return null;
    const seenMs = Math.max(host.pingedMs(agent) ?? 0, this.#seenMs, agentOf(host, agent).sinceMs);
    if (isOpen(agent) && now() - seenMs <= SILENCE_MS) return agent;
    agent.close(CLOSE_REPLACED, "no heartbeat");
    this.#onSilent(agent);
    return null;
  }

  /** Notes a sign of life, such as a heartbeat that the platform did not answer by itself. */
  seen(socket: Socket): void {
    if (socket === this.#sockets.agent) this.#seenMs = this.#shell.now();
  }

  /** The agent was welcomed on this socket. Returns when: later than it was lost before. */
  came(socket: Socket): number {
    this.#sockets.agent = socket;
    this.seen(socket);
    for (const wake of this.#awaiting.splice(0)) wake();
    this.#cameMs = Math.max(this.#shell.now(), this.#lostMs + 1);
    return this.#cameMs;
  }

  /** The agent takes no new streams, and stops soon. */
  drains(socket: Socket, payload: Uint8Array): void {
    const { sockets: host, now } = this.#shell;
    const drain = payload.length === 0 ? null : parsePayload(Drain, payload);
    const drainEndsMs = drain && now() + drain.ends_in_ms;
    host.attach(socket, { ...agentOf(host, socket), isDraining: true, drainEndsMs });
  }

  /** The agent lost this socket. Returns when: not before it came. */
  left(): number {
    this.#sockets.agent = null;
    this.#lostMs = Math.max(this.#shell.now(), this.#cameMs);
    return this.#lostMs;
  }

  /**
   * Waits for an agent that drains or was lost a moment ago: it nearly always comes back in time.
   * Returns whether it had to.
   * @param waitMs  since it was lost, or from now while it drains. A call that no other box can serve waits
   *   to the end of the drain, and then for this time
   */
  async back(waitMs: number): Promise<boolean> {
    const { sockets: host, now, wait } = this.#shell;
    const socket = this.live();
    const agent = socket && agentOf(host, socket);
    if (agent !== null && !agent.isDraining) return false;
    const drainEndsMs = waitMs >= ONLY_HOLDER_MS ? (agent?.drainEndsMs ?? 0) : 0;
    const sinceMs = agent === null ? this.#lostMs : Math.max(now(), drainEndsMs);
    const leftMs = sinceMs + waitMs - now();
    if (leftMs > 0)
      await Promise.race([
        new Promise<void>((resolve) => this.#awaiting.push(resolve)),
        wait(leftMs),
      ]);
    return true;
  }
}
