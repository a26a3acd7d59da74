/**
 * A model of the Box: what `worker/box.ts` does with frames and sockets, on simulated ones.
 *
 * The real one is a Durable Object and is tested in workerd; here it is only the way between the two
 * ends, and whatever it does to their frames.
 */
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  parsePayload,
  streamFrame,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { HEARTBEAT_MS, SILENCE_MS } from "../../protocol/limits.ts";
import { Hello, Records, type Welcome } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import type { End, Message } from "./link.ts";
import type { Schedule } from "./schedule.ts";

const ATTACH_AGAIN_MS = 500;

type AgentSocket = { end: End; agentId: string | null; heardMs: number };

export type Ingest = (records: RequestRecord[], done: () => void) => void;

export class SimulatedBox {
  readonly #schedule: Schedule;
  readonly #ingest: Ingest;
  #agents: AgentSocket[] = [];
  #agent: AgentSocket | null = null;
  #streams = new Map<string, End>();
  #orphans = new Map<string, End>();

  constructor(schedule: Schedule, ingest: Ingest) {
    this.#schedule = schedule;
    this.#ingest = ingest;
  }

  connect(end: End): void {
    const socket: AgentSocket = { end, agentId: null, heardMs: this.#schedule.nowMs };
    this.#agents.push(socket);
    end.onMessage = (message) => this.#fromAgent(socket, message);
    end.onClose = () => this.#lost(socket);
  }

  /** @returns whether the stream is taken */
  attach(end: End, id: string, isResume: boolean): boolean {
    if (!isResume && this.#liveAgent() === null) return false;
    this.#streams.set(id, end);
    this.#orphans.delete(id);
    if (isResume && this.#liveAgent() === null) end.send(encodeFrames([streamFrame(FrameType.gone, id)]));
    end.onMessage = (message) => this.#liveAgent()?.end.send(message);
    end.onClose = (code) => {
      if (this.#streams.get(id) === end) this.#streams.delete(id);
      if (code !== 1000 && !this.#streams.has(id)) this.#orphaned(id, end);
    };
    return true;
  }

  /** The object is moved: what it held in memory is gone, and so are its sockets, which the world cuts. */
  restart(): void {
    for (const end of [...this.#agents.map((agent) => agent.end), ...this.#streams.values()]) end.reset();
    this.#agents = [];
    this.#agent = null;
    this.#streams = new Map();
    this.#orphans = new Map();
  }

  #fromAgent(socket: AgentSocket, message: Message): void {
    socket.heardMs = this.#schedule.nowMs;
    if (typeof message === "string") return socket.end.send("pong");
    try {
      const frames = decodeFrames(message);
      if (socket.agentId === null) return this.#greet(socket, frames);
      if (socket !== this.#agent) return; // replaced: its words may not mix with those of the agent that came after it
      for (const frame of frames) this.#pass(socket, frame);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      socket.end.close(1002);
      this.#lost(socket);
    }
  }

  #greet(socket: AgentSocket, [first]: Frame[]): void {
    if (first?.type !== FrameType.hello) throw new FrameError("no hello");
    const { agent_id } = parsePayload(Hello, first.payload);
    const holder = this.#liveAgent();
    if (holder !== null && holder.agentId !== agent_id) return socket.end.close(4009);
    holder?.end.close(4000);
    socket.agentId = agent_id;
    this.#agent = socket;
    const welcome: Welcome = { edge_version: "0.0.0", now_ms: 0, heartbeat_ms: HEARTBEAT_MS };
    socket.end.send(encodeFrames([tunnelFrame(FrameType.welcome, welcome)]));
    this.#tellStreams(FrameType.back);
  }

  #pass(socket: AgentSocket, frame: Frame): void {
    if (frame.type === FrameType.records) {
      const { position, records } = parsePayload(Records, frame.payload);
      this.#ingest(records, () => socket.end.send(encodeFrames([tunnelFrame(FrameType.recorded, { position })])));
    } else if (frame.type < FrameType.open || frame.type === FrameType.open || frame.type >= FrameType.gone) {
      throw new FrameError("not from an agent");
    } else this.#streams.get(frame.stream)?.send(encodeFrames([frame]));
  }

  #lost(socket: AgentSocket): void {
    if (socket !== this.#agent) return;
    this.#agent = null;
    this.#tellStreams(FrameType.gone);
  }

  #liveAgent(): AgentSocket | null {
    const agent = this.#agent;
    if (agent === null) return null;
    if (agent.end.isOpen && this.#schedule.nowMs - agent.heardMs <= SILENCE_MS) return agent;
    agent.end.close(4000);
    this.#lost(agent);
    return null;
  }

  #orphaned(id: string, end: End): void {
    const orphans = this.#orphans; // of this life of the object
    orphans.set(id, end);
    this.#schedule.after(ATTACH_AGAIN_MS, () => {
      if (orphans !== this.#orphans || orphans.get(id) !== end) return;
      orphans.delete(id);
      this.#cancel(id);
    });
  }

  #cancel(id: string): void {
    const abort = streamFrame(FrameType.abort, id, 0, jsonBytes({ code: "caller_gone", message: "gone", presumed: true }));
    this.#agent?.end.send(encodeFrames([abort]));
  }

  #tellStreams(type: typeof FrameType.gone | typeof FrameType.back): void {
    for (const [id, end] of this.#streams) end.send(encodeFrames([streamFrame(type, id)]));
  }
}
