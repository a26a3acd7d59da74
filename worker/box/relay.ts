/**
 * The relay of a box, without a platform: sockets, clock and ledger are lent to it. `box.ts` lends those
 * of a Durable Object; the simulation lends its own.
 *
 * Copies frames and keeps nothing per request: sockets are found by their tags and attachments, so
 * the object may hibernate, restart or lose a socket, and the ends resume.
 */
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  HEADER_BYTES,
  jsonBytes,
  parsePayload,
  type StreamId,
  streamFrame,
  tunnelFrame,
  typeName,
} from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { RECONNECT_MS, SILENCE_MS, STREAMS_PER_BOX_MAX } from "../../protocol/limits.ts";
import { Hello, type Welcome } from "../../protocol/messages.ts";
import type { FailureReason } from "../errors.ts";
import { BoxLoad } from "./load.ts";
import { type BoxRegistry, passReadings, passRecords } from "./reports.ts";
import {
  type AgentAttachment,
  agentOf,
  BoxSockets,
  isOpen,
  type RelaySocket,
  type SocketHost,
  sendTo,
} from "./sockets.ts";

export type RelayShell<Socket extends RelaySocket> = {
  sockets: SocketHost<Socket>;
  /** Asked for anew each time: one that failed is not used again. */
  registry(): BoxRegistry;
  welcome(): Welcome;
  /** Unix ms. */
  now(): number;
  wait(ms: number): Promise<void>;
  /** Goes on beside what is being done. */
  meanwhile(promise: Promise<unknown>): void;
  log(level: "warn" | "error", event: string, fields: Record<string, unknown>): void;
};

/** What a Box knows of itself, now. `queueDepth` is the agent's word; null when it is too old. */
export type RelayStatus = {
  isUp: boolean;
  isDraining: boolean;
  inFlight: number;
  queueDepth: number | null;
  requests: OpenRequest[];
};

/** Ask the agent for readings at most this often: one LOOK keeps it at the quick pace for longer. */
const LOOK_EVERY_MS = 5_000;

/** Who looks waits so long for readings that are fresh. */
const READINGS_WAIT_MS = 400;

/** A stream that lost its socket has a new one by then; a caller that is gone stops its Ollama within a second. */
const ATTACH_AGAIN_MS = 500;

/** Close codes of ours (4000-4999). The agent logs the reason. */
const CLOSE_REPLACED = 4_000;
const CLOSE_NAME_TAKEN = 4_009;

export class Relay<Socket extends RelaySocket> {
  readonly #shell: RelayShell<Socket>;
  readonly #host: SocketHost<Socket>;
  readonly #sockets: BoxSockets<Socket>;
  readonly #load = new BoxLoad();
  /** Streams that lost their socket a moment ago: the socket that it was. */
  readonly #orphans = new Map<StreamId, Socket>();
  #agentHeardMs = 0;
  /** When the agent was lost. An object that just woke cannot know: its agent may be on its way back. */
  #lostMs: number;
  #awaitingAgent: (() => void)[] = [];
  #lookedMs = 0;

  constructor(shell: RelayShell<Socket>) {
    this.#shell = shell;
    this.#host = shell.sockets;
    this.#sockets = new BoxSockets(shell.sockets);
    this.#lostMs = shell.now();
  }

  /** An agent dialled. It says hello next. */
  connect(socket: Socket, box: string): void {
    this.#host.accept(socket, {
      kind: "agent",
      box,
      agentId: null,
      isDraining: false,
      sinceMs: this.#shell.now(),
    });
  }

  /** Waits for an agent that was lost a moment ago: it is nearly always back in time for a new stream. */
  async agentBack(): Promise<void> {
    const { now, wait } = this.#shell;
    if (this.#liveAgent() !== null) return;
    const leftMs = this.#lostMs + RECONNECT_MS - now();
    if (leftMs > 0)
      await Promise.race([
        new Promise<void>((resolve) => this.#awaitingAgent.push(resolve)),
        wait(leftMs),
      ]);
  }

  /** Why a new stream cannot be taken; null when it can. */
  refusal(box: string): FailureReason | null {
    const agent = this.#liveAgent();
    if (agent === null) return { reason: "box_down", box };
    if (agentOf(this.#host, agent).isDraining) return { reason: "box_draining", box };
    return this.#sockets.streamsAttached >= STREAMS_PER_BOX_MAX
      ? { reason: "box_busy", box }
      : null;
  }

  /** A stream's socket. @param isResume  it had one before */
  attach(socket: Socket, id: StreamId, isResume: boolean): void {
    this.#host.accept(socket, { kind: "stream", id });
    this.#sockets.attached(id, socket);
    this.#orphans.delete(id);
    if (isResume && this.#liveAgent() === null)
      sendTo(socket, encodeFrames([streamFrame(FrameType.gone, id)]));
  }

  /** What this box is doing. Asks the agent for fresh readings by the way: somebody looks. */
  async status(): Promise<RelayStatus> {
    const { now, wait } = this.#shell;
    const agent = this.#liveAgent();
    if (agent !== null && now() - this.#lookedMs > LOOK_EVERY_MS) {
      this.#lookedMs = now();
      sendTo(agent, encodeFrames([tunnelFrame(FrameType.watch)]));
    }
    if (agent !== null && this.#load.at(now()) === null)
      await Promise.race([this.#load.next(), wait(READINGS_WAIT_MS)]);
    const load = this.#load.at(now());
    return {
      isUp: agent !== null,
      isDraining: agent !== null && agentOf(this.#host, agent).isDraining,
      inFlight: this.#sockets.streamsAttached + (load?.local ?? 0),
      queueDepth: load?.queued ?? null,
      requests: agent === null ? [] : (load?.requests ?? []),
    };
  }

  /** A binary message. @throws what the registry threw; the agent sends its records again */
  async received(socket: Socket, message: Uint8Array): Promise<void> {
    const attachment = this.#host.attachmentOf(socket);
    if (attachment.kind === "stream") {
      const agent = this.#liveAgent();
      if (agent !== null) sendTo(agent, message);
      return;
    }
    this.heartbeat(socket);
    try {
      const frames = decodeFrames(message);
      if (attachment.agentId === null) this.#greet(socket, attachment, frames);
      // Replaced: its words may not mix with those of the process that came after it. What it has in its spool comes again.
      else if (socket !== this.#sockets.agent) return;
      else await this.#fromAgent(socket, attachment, frames, message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // Only this socket: its streams resume over the next one.
      this.#shell.log("warn", "bad_frame", { box: attachment.box, why: error.message });
      socket.close(1002, error.message.slice(0, 120));
      await this.#lost(socket);
    }
  }

  /** One that the platform did not answer by itself, or any other sign of life. */
  heartbeat(socket: Socket): void {
    if (socket === this.#sockets.agent) this.#agentHeardMs = this.#shell.now();
  }

  /** The socket is closed, by whomever. @param code  1006 where nobody said one */
  async closed(socket: Socket, code: number): Promise<void> {
    const attachment = this.#host.attachmentOf(socket);
    if (attachment.kind === "agent") return this.#lost(socket);
    const { id } = attachment;
    this.#sockets.detached(id, socket);
    // A Worker that ends a stream in order closes with 1000. Any other close is an invocation that died with its caller.
    // Unless only this socket was lost: then it attaches again at once.
    if (code === 1000 || this.#sockets.stream(id) !== null) return;
    this.#orphans.set(id, socket);
    await this.#shell.wait(ATTACH_AGAIN_MS);
    if (this.#orphans.get(id) !== socket) return;
    this.#orphans.delete(id);
    this.#cancel(id);
  }

  /** The agent said hello: is the name free? */
  #greet(socket: Socket, attachment: AgentAttachment, frames: Frame[]): void {
    const [first] = frames;
    if (first?.type !== FrameType.hello || frames.length > 1)
      throw new FrameError("an agent must say hello first, and wait for the welcome");
    const hello = parsePayload(Hello, first.payload);
    if (hello.box !== attachment.box)
      throw new FrameError(`box ${attachment.box} says hello as ${hello.box}`);
    const holder = this.#liveAgent();
    if (holder !== null && agentOf(this.#host, holder).agentId !== hello.agent_id) {
      this.#shell.log("warn", "name_taken", { box: hello.box });
      return socket.close(
        CLOSE_NAME_TAKEN,
        `another agent is connected as box ${hello.box}; set another BOX_NAME`,
      );
    }
    // The same agent again: its old socket is dead, whatever the platform thinks.
    holder?.close(CLOSE_REPLACED, "replaced by a newer connection of the same agent");
    this.#host.attach(socket, { ...attachment, agentId: hello.agent_id });
    this.#sockets.agent = socket;
    this.heartbeat(socket);
    sendTo(socket, encodeFrames([tunnelFrame(FrameType.welcome, this.#shell.welcome())]));
    this.#tellStreams(FrameType.back);
    for (const wake of this.#awaitingAgent.splice(0)) wake();
    // Not in the registry, the box would be chosen for nothing, however well its tunnel is: it dials again.
    const registered = this.#shell.registry().connected(hello);
    this.#shell.meanwhile(
      registered.catch(() => socket.close(1011, "the registry of boxes did not answer")),
    );
  }

  async #fromAgent(
    socket: Socket,
    attachment: AgentAttachment,
    frames: Frame[],
    message: Uint8Array,
  ): Promise<void> {
    const tunnelFrames: Frame[] = [];
    let at = 0;
    for (let i = 0; i < frames.length; ) {
      const { stream, type, payload } = frames[i] as Frame;
      const from = at;
      if (type < FrameType.open) {
        tunnelFrames.push(frames[i] as Frame);
        at += HEADER_BYTES + payload.length;
        i++;
        continue;
      }
      // Frames of one stream stand together; they travel on as one message, as they are.
      for (; i < frames.length && frames[i]?.stream === stream; i++) {
        const frame = frames[i] as Frame;
        if (frame.type === FrameType.open || frame.type >= FrameType.gone)
          throw new FrameError(`${typeName(frame.type)} from an agent`);
        at += HEADER_BYTES + frame.payload.length;
      }
      const to = this.#sockets.stream(stream);
      if (to !== null) sendTo(to, message.slice(from, at));
    }
    // After all streams: these wait for the registry, and the next message must not overtake a stream's frames.
    for (const frame of tunnelFrames) await this.#fromTunnel(socket, attachment, frame);
  }

  async #fromTunnel(
    socket: Socket,
    attachment: AgentAttachment,
    { type, payload }: Frame,
  ): Promise<void> {
    const { box } = attachment;
    const registry = this.#shell.registry();
    switch (type) {
      case FrameType.records: {
        const position = await passRecords(payload, box, registry, (why) =>
          this.#shell.log("error", "bad_record", { box, why }),
        );
        // Only now: the ledger has them.
        return sendTo(socket, encodeFrames([tunnelFrame(FrameType.recorded, { position })]));
      }
      case FrameType.readings:
        return this.#load.report(await passReadings(payload, box, registry), this.#shell.now());
      case FrameType.drain:
        this.#host.attach(socket, { ...attachment, isDraining: true });
        await registry.draining(box);
        return;
      default:
        throw new FrameError(`${typeName(type)} from an agent`);
    }
  }

  async #lost(socket: Socket): Promise<void> {
    const { box, agentId } = agentOf(this.#host, socket);
    if (agentId === null || socket !== this.#sockets.agent) return; // never greeted, or replaced
    this.#sockets.agent = null;
    const { now, registry } = this.#shell;
    this.#lostMs = now();
    this.#tellStreams(FrameType.gone);
    await registry().gone(box, this.#lostMs); // now, not when it arrives: a reconnect may overtake it
  }

  #cancel(id: StreamId): void {
    const { agent } = this.#sockets;
    const word = {
      code: "caller_gone",
      message: "the caller's connection is gone",
      presumed: true,
    };
    if (agent !== null)
      sendTo(agent, encodeFrames([streamFrame(FrameType.abort, id, 0, jsonBytes(word))]));
  }

  #tellStreams(type: typeof FrameType.gone | typeof FrameType.back): void {
    for (const socket of this.#host.accepted("stream")) {
      const attachment = this.#host.attachmentOf(socket);
      if (attachment.kind === "stream")
        sendTo(socket, encodeFrames([streamFrame(type, attachment.id)]));
    }
  }

  /** The agent's socket, if its agent lives. A half-open link keeps a socket without a heartbeat: that one is closed here. */
  #liveAgent(): Socket | null {
    const { agent } = this.#sockets;
    if (agent === null) return null;
    const heardMs = Math.max(
      this.#host.pingedMs(agent) ?? 0,
      this.#agentHeardMs,
      agentOf(this.#host, agent).sinceMs,
    );
    if (isOpen(agent) && this.#shell.now() - heardMs <= SILENCE_MS) return agent;
    agent.close(CLOSE_REPLACED, "no heartbeat");
    this.#shell.meanwhile(this.#lost(agent));
    return null;
  }
}
