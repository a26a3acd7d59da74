/**
 * Box: one Durable Object per GPU box, the relay between the agent's WebSocket and those of the
 * streams that Workers hold.
 *
 * Copies frames and keeps nothing per request: sockets are found by their tags and attachments, so
 * the object may hibernate, restart or lose a socket, and the ends resume. Heartbeats are answered
 * by the platform and do not wake it.
 */
import { DurableObject } from "cloudflare:workers";
import { z } from "zod";
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
} from "../protocol/frames.ts";
import { type OpenRequest, Readings } from "../protocol/inventory.ts";
import { HEARTBEAT_MS, READINGS_LOOK_MS, RECONNECT_MS, SILENCE_MS, STREAMS_PER_BOX_MAX, SUBPROTOCOL } from "../protocol/limits.ts";
import { Hello, type Welcome } from "../protocol/messages.ts";
import { RequestRecord } from "../protocol/records.ts";
import { theAggregator } from "./aggregator-stub.ts";
import type { Bindings } from "./bindings.ts";
import { errorResponse, type FailureReason } from "./errors.ts";
import { settingsOf } from "./settings.ts";
import { VERSION } from "./version.ts";

/** What a socket carries through hibernation. */
const Attachment = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("agent"), box: z.string(), agentId: z.string().nullable(), isDraining: z.boolean(), sinceMs: z.number() }),
  z.object({ kind: z.literal("stream"), id: z.string() }),
]);
type Attachment = z.infer<typeof Attachment>;
type AgentAttachment = Extract<Attachment, { kind: "agent" }>;

/** The envelope only: one bad record must not hold up the others, see {@link Box.webSocketMessage}. */
const RecordsEnvelope = z.object({ position: z.int().nonnegative(), records: z.array(z.unknown()).max(1_000) });

/** Ask the agent for readings at most this often: one LOOK keeps it at the quick pace for longer. */
const LOOK_EVERY_MS = 5_000;

/** Readings older than this say nothing about now: who looks waits a moment for new ones. */
const READINGS_FRESH_MS = 2 * READINGS_LOOK_MS + 1_000;
const READINGS_WAIT_MS = 400;

/** A stream that lost its socket has a new one by then; a caller that is gone stops its Ollama within a second. */
const ATTACH_AGAIN_MS = 500;

/** Close codes of ours (4000-4999). The agent logs the reason. */
const CLOSE_REPLACED = 4_000;
const CLOSE_NAME_TAKEN = 4_009;

/** What a Box knows of itself, now. `queueDepth` is the agent's word; null when it is too old. */
export type BoxLook = { isUp: boolean; isDraining: boolean; inFlight: number; queueDepth: number | null; requests: OpenRequest[] };

export class Box extends DurableObject<Bindings> {
  readonly #streams = new Map<StreamId, WebSocket>();
  #attached: Set<WebSocket> | null = null;
  /** Streams that lost their socket a moment ago: the socket that it was. */
  readonly #orphans = new Map<StreamId, WebSocket>();
  #agent: WebSocket | null | undefined;
  #agentHeardMs = 0;
  /** When the agent was lost, unix ms. An object that just woke cannot know: its agent may be on its way back. */
  #lostMs = Date.now();
  #awaitingAgent: (() => void)[] = [];
  #lookedMs = 0;
  /** What the agent said last: calls to its own listener, those of all that wait, and the oldest of all. In memory only. */
  #load: { local: number; queued: number; requests: OpenRequest[]; atMs: number } | null = null;
  #awaitingReadings: (() => void)[] = [];

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** `/connect?box=` takes the agent's socket, `/attach?stream=&resume=` that of a stream. Callers were authenticated by the Worker. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { 0: far, 1: near } = new WebSocketPair();
    if (url.pathname === "/connect") {
      const box = url.searchParams.get("box") ?? "";
      this.#accept(near, { kind: "agent", box, agentId: null, isDraining: false, sinceMs: Date.now() }, ["agent"]);
      return new Response(null, { status: 101, webSocket: far, headers: { "sec-websocket-protocol": SUBPROTOCOL } });
    }
    const id = url.searchParams.get("stream") ?? "";
    const box = url.searchParams.get("box") ?? "";
    const isResume = url.searchParams.get("resume") === "1";
    if (!isResume) await this.#agentBack();
    const refusal = isResume ? null : this.#refusal(box);
    if (refusal !== null) return errorResponse("api", refusal, id);
    this.#accept(near, { kind: "stream", id }, ["stream", id]);
    this.#streams.set(id, near);
    this.#orphans.delete(id);
    if (isResume && this.#liveAgent() === null) sendTo(near, encodeFrames([streamFrame(FrameType.gone, id)]));
    this.#attachedStreams().add(near);
    return new Response(null, { status: 101, webSocket: far });
  }

  /** What this box is doing. Asks the agent for fresh readings by the way: somebody looks. */
  async look(): Promise<BoxLook> {
    const agent = this.#liveAgent();
    if (agent !== null && Date.now() - this.#lookedMs > LOOK_EVERY_MS) {
      this.#lookedMs = Date.now();
      sendTo(agent, encodeFrames([tunnelFrame(FrameType.look)]));
    }
    const freshLoad = () => (this.#load !== null && Date.now() - this.#load.atMs < READINGS_FRESH_MS ? this.#load : null);
    if (agent !== null && freshLoad() === null) {
      await Promise.race([new Promise<void>((resolve) => this.#awaitingReadings.push(resolve)), scheduler.wait(READINGS_WAIT_MS)]);
    }
    return {
      isUp: agent !== null,
      isDraining: agent !== null && agentOf(agent).isDraining,
      inFlight: this.#attachedStreams().size + (freshLoad()?.local ?? 0),
      queueDepth: freshLoad()?.queued ?? null,
      requests: agent === null ? [] : (freshLoad()?.requests ?? []),
    };
  }

  override async webSocketMessage(socket: WebSocket, message: ArrayBuffer | string): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment.kind === "stream") {
      const agent = this.#liveAgent();
      if (agent !== null && typeof message !== "string") sendTo(agent, message);
      return;
    }
    if (socket === this.#agent) this.#agentHeardMs = Date.now();
    if (typeof message === "string") return; // a heartbeat that the platform did not answer
    try {
      const frames = decodeFrames(message);
      if (attachment.agentId === null) this.#greet(socket, attachment, frames);
      // Replaced: its words may not mix with those of the process that came after it. What it has in its spool comes again.
      else if (socket !== this.#agentSocket()) return;
      else await this.#fromAgent(socket, attachment, frames, new Uint8Array(message));
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // Only this socket: its streams resume over the next one.
      console.warn(JSON.stringify({ event: "bad_frame", box: attachment.box, why: error.message }));
      socket.close(1002, error.message.slice(0, 120));
      await this.#lost(socket);
    }
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    try {
      socket.close(code === 1005 || code === 1006 ? 1000 : code);
    } catch {
      // closed already
    }
    const attachment = attachmentOf(socket);
    if (attachment.kind === "agent") return this.#lost(socket);
    if (this.#streams.get(attachment.id) === socket) this.#streams.delete(attachment.id);
    this.#attached?.delete(socket);
    // A Worker that ends a stream in order closes with 1000. Any other close is an invocation that died with its caller.
    // Unless only this socket was lost: then it attaches again at once.
    if (code === 1000) return;
    const { id } = attachment;
    if (this.#streamSocket(id) !== null) return;
    this.#orphans.set(id, socket);
    await scheduler.wait(ATTACH_AGAIN_MS);
    if (this.#orphans.get(id) !== socket) return;
    this.#orphans.delete(id);
    this.#cancel(id);
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.webSocketClose(socket, 1006);
  }

  #accept(socket: WebSocket, attachment: Attachment, tags: string[]): void {
    this.ctx.acceptWebSocket(socket, tags);
    attach(socket, attachment);
  }

  /** Listing all sockets costs more the more there are, so it is done once per life in memory. */
  #attachedStreams(): Set<WebSocket> {
    this.#attached ??= new Set(this.ctx.getWebSockets("stream").filter(isOpen));
    return this.#attached;
  }

  /** Waits for an agent that was lost a moment ago. */
  async #agentBack(): Promise<void> {
    if (this.#liveAgent() !== null) return;
    const leftMs = this.#lostMs + RECONNECT_MS - Date.now();
    if (leftMs > 0) await Promise.race([new Promise<void>((resolve) => this.#awaitingAgent.push(resolve)), scheduler.wait(leftMs)]);
  }

  /** Why a new stream cannot be taken; null when it can. */
  #refusal(box: string): FailureReason | null {
    const agent = this.#liveAgent();
    if (agent === null) return { reason: "box_down", box };
    if (agentOf(agent).isDraining) return { reason: "box_draining", box };
    return this.#attachedStreams().size >= STREAMS_PER_BOX_MAX ? { reason: "box_busy", box } : null;
  }

  /** The agent said hello: is the name free? */
  #greet(socket: WebSocket, attachment: AgentAttachment, frames: Frame[]): void {
    const [first] = frames;
    if (first?.type !== FrameType.hello || frames.length > 1)
      throw new FrameError("an agent must say hello first, and wait for the welcome");
    const hello = parsePayload(Hello, first.payload);
    if (hello.box !== attachment.box) throw new FrameError(`box ${attachment.box} says hello as ${hello.box}`);
    const holder = this.#liveAgent();
    if (holder !== null && agentOf(holder).agentId !== hello.agent_id) {
      console.warn(JSON.stringify({ event: "name_taken", box: hello.box }));
      return socket.close(CLOSE_NAME_TAKEN, `another agent is connected as box ${hello.box}; set another BOX_NAME`);
    }
    // The same agent again: its old socket is dead, whatever the platform thinks.
    holder?.close(CLOSE_REPLACED, "replaced by a newer connection of the same agent");
    attach(socket, { ...attachment, agentId: hello.agent_id });
    this.#agent = socket;
    this.#agentHeardMs = Date.now();
    const { logContent, stores } = settingsOf(this.env);
    const welcome: Welcome = {
      edge_version: VERSION,
      now_ms: Date.now(),
      heartbeat_ms: HEARTBEAT_MS,
      keep_text: logContent === "on",
      exporter_type: stores.exporterType,
    };
    sendTo(socket, encodeFrames([tunnelFrame(FrameType.welcome, welcome)]));
    this.#tellStreams(FrameType.back);
    for (const wake of this.#awaitingAgent.splice(0)) wake();
    // Not in the registry, the box would be chosen for nothing, however well its tunnel is: it dials again.
    const registered = theAggregator(this.env).connected(hello);
    this.ctx.waitUntil(registered.catch(() => socket.close(1011, "the registry of boxes did not answer")));
  }

  async #fromAgent(socket: WebSocket, attachment: AgentAttachment, frames: Frame[], message: Uint8Array): Promise<void> {
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
        if (frame.type === FrameType.open || frame.type >= FrameType.gone) throw new FrameError(`${typeName(frame.type)} from an agent`);
        at += HEADER_BYTES + frame.payload.length;
      }
      const to = this.#streamSocket(stream);
      if (to !== null) sendTo(to, message.slice(from, at));
    }
    // After all streams: these wait for the Aggregator, and the next message must not overtake a stream's frames.
    for (const frame of tunnelFrames) await this.#fromTunnel(socket, attachment, frame);
  }

  async #fromTunnel(socket: WebSocket, attachment: AgentAttachment, frame: Frame): Promise<void> {
    const aggregator = theAggregator(this.env);
    switch (frame.type) {
      case FrameType.records: {
        const { position, records } = parsePayload(RecordsEnvelope, frame.payload);
        await aggregator.ingest(records.flatMap((record) => this.#checked(record, attachment.box)));
        // Only now: the ledger has them.
        return void sendTo(socket, encodeFrames([tunnelFrame(FrameType.recorded, { position })]));
      }
      case FrameType.readings: {
        const readings = parsePayload(Readings, frame.payload);
        for (const sample of readings.gpu.samples) sample.box = attachment.box;
        // The requests are of this moment: nothing to keep in a registry.
        await aggregator.read(attachment.box, { ...readings, requests: [] });
        this.#load = { local: readings.local_in_flight, queued: readings.queued, requests: readings.requests, atMs: Date.now() };
        for (const wake of this.#awaitingReadings.splice(0)) wake();
        return;
      }
      case FrameType.drain:
        attach(socket, { ...attachment, isDraining: true });
        return aggregator.draining(attachment.box);
      default:
        throw new FrameError(`${typeName(frame.type)} from an agent`);
    }
  }

  /** A record as this box may write it: its own name, and a shape that the ledger takes. A bad one is dropped, said, and confirmed: sent again it would be as bad. */
  #checked(value: unknown, box: string): RequestRecord[] {
    const result = RequestRecord.safeParse(value);
    if (result.success) return [{ ...result.data, box }];
    console.error(JSON.stringify({ event: "bad_record", box, why: z.prettifyError(result.error).slice(0, 500) }));
    return [];
  }

  async #lost(socket: WebSocket): Promise<void> {
    const { box, agentId } = agentOf(socket);
    if (agentId === null || socket !== this.#agentSocket()) return; // never greeted, or replaced
    this.#agent = null;
    this.#lostMs = Date.now();
    this.#tellStreams(FrameType.gone);
    await theAggregator(this.env).gone(box, Date.now()); // now, not when it arrives: a reconnect may overtake it
  }

  #cancel(id: StreamId): void {
    const agent = this.#agentSocket();
    const abort = streamFrame(
      FrameType.abort,
      id,
      0,
      jsonBytes({ code: "caller_gone", message: "the caller's connection is gone", presumed: true }),
    );
    if (agent !== null) sendTo(agent, encodeFrames([abort]));
  }

  #tellStreams(type: typeof FrameType.gone | typeof FrameType.back): void {
    for (const socket of this.ctx.getWebSockets("stream")) {
      const attachment = attachmentOf(socket);
      if (attachment.kind === "stream") sendTo(socket, encodeFrames([streamFrame(type, attachment.id)]));
    }
  }

  #streamSocket(id: StreamId): WebSocket | null {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const [found] = this.ctx.getWebSockets(id).filter(isOpen); // after hibernation
    if (found !== undefined) this.#streams.set(id, found);
    return found ?? null;
  }

  /** The socket of the agent that was greeted last, dead or alive. */
  #agentSocket(): WebSocket | null {
    if (this.#agent === undefined) this.#agent = this.#findAgent();
    return this.#agent;
  }

  /** The same, if its agent lives. A half-open link keeps a socket without a heartbeat: that one is closed here. */
  #liveAgent(): WebSocket | null {
    const agent = this.#agentSocket();
    if (agent === null) return null;
    const pingedMs = this.ctx.getWebSocketAutoResponseTimestamp(agent)?.getTime() ?? 0;
    const heardMs = Math.max(pingedMs, this.#agentHeardMs, agentOf(agent).sinceMs);
    if (isOpen(agent) && Date.now() - heardMs <= SILENCE_MS) return agent;
    agent.close(CLOSE_REPLACED, "no heartbeat");
    this.ctx.waitUntil(this.#lost(agent));
    return null;
  }

  #findAgent(): WebSocket | null {
    return this.ctx.getWebSockets("agent").findLast((socket) => isOpen(socket) && agentOf(socket).agentId !== null) ?? null;
  }
}

const isOpen = (socket: WebSocket) => socket.readyState === WebSocket.OPEN;

/** A socket that was closed a moment ago must not fail the others. */
function sendTo(socket: WebSocket, message: ArrayBuffer | Uint8Array): void {
  try {
    socket.send(message);
  } catch {
    // its close event is on the way, and the ends resume
  }
}

/** Parsed once per socket and life in memory: it is read on every message. */
const attachments = new WeakMap<WebSocket, Attachment>();

function attachmentOf(socket: WebSocket): Attachment {
  const known = attachments.get(socket);
  if (known !== undefined) return known;
  const attachment = Attachment.parse(socket.deserializeAttachment());
  attachments.set(socket, attachment);
  return attachment;
}

function attach(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
  attachments.set(socket, attachment);
}

function agentOf(socket: WebSocket): AgentAttachment {
  const attachment = attachmentOf(socket);
  if (attachment.kind !== "agent") throw new Error("a stream's socket where the agent's should be");
  return attachment;
}
