/**
 * The sockets of a box: its agent's, and one for each stream. Found in constant time.
 *
 * This is only a copy: the platform keeps sockets, tags and attachments through hibernation, and an
 * object that wakes up finds them all again.
 */
import * as z from "zod";
import {
  encodeFrames,
  type Frame,
  type FrameType,
  type StreamId,
  streamFrame,
} from "../../protocol/frames.ts";
import { Membership } from "../../protocol/joining.ts";
import { EdgeSettings, type Hello } from "../../protocol/messages.ts";
import type { Attach } from "./attach.ts";

/** The data that a socket carries through hibernation. */
export const Attachment = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("agent"),
    box: z.string(),
    agentId: z.string().nullable(),
    isDraining: z.boolean(),
    // The fields with a default are absent from attachments of earlier versions.
    takesSettings: z.boolean().default(false),
    takesUpdates: z.boolean().default(false),
    /** When an agent that drains stops at the latest, unix ms; null if it is not known. */
    drainEndsMs: z.number().nullable().default(null),
    /** The settings in force; null if they are not known. */
    settings: EdgeSettings.nullable().default(null),
    /** The newest version of the keys; null if it is not known. */
    keysVersion: z.number().nullable().default(null),
    /** The joining whose certificate admitted it; null for a secret. */
    member: Membership.nullable().default(null),
    sinceMs: z.number(),
  }),
  z.object({
    kind: z.literal("stream"),
    id: z.string(),
    /** The model that it needs. Absent from attachments of earlier versions. */
    model: z.string().nullable().default(null),
    /** The key of its caller, if the edge made it. Absent from attachments of earlier versions. */
    key: z
      .object({
        id: z.string(),
        version: z.number(),
        /** Where the call counts, and as a call of which box; null if its key has no limits. */
        counted: z.object({ lineage: z.string(), box: z.string() }).nullable().default(null),
      })
      .nullable()
      .default(null),
  }),
]);
export type Attachment = z.infer<typeof Attachment>;
export type AgentAttachment = Extract<Attachment, { kind: "agent" }>;

/** Returns the attachment of an agent before its HELLO. */
export const newAgent = (
  box: string,
  member: Membership | null,
  sinceMs: number,
): AgentAttachment => ({
  kind: "agent",
  ...{ box, member, sinceMs },
  ...{ agentId: null, isDraining: false, takesSettings: false, settings: null },
  ...{ takesUpdates: false, keysVersion: null, drainEndsMs: null },
});

/** Returns the attachment of an agent after its HELLO. */
export const greeted = (
  agent: AgentAttachment,
  { agent_id, takes_settings, takes_updates }: Hello,
): AgentAttachment => ({
  ...agent,
  agentId: agent_id,
  takesSettings: takes_settings ?? false,
  takesUpdates: takes_updates === "yes",
});

/** Returns the attachment of a stream. */
export const newStream = ({
  box,
  id,
  model,
  key,
}: Pick<Attach, "box" | "id" | "model" | "key">): Attachment => ({
  ...{ kind: "stream", id, model },
  key: key && {
    id: key.id,
    version: key.version,
    counted: key.limits === null ? null : { lineage: key.lineage, box },
  },
});

/** The part of a WebSocket that a relay needs. Real ones are passed unchanged. */
export type RelaySocket = {
  readonly readyState: number;
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
};

/** The platform's side of the sockets. */
export type SocketHost<Socket extends RelaySocket> = {
  accept(socket: Socket, attachment: Attachment): void;
  /**
   * Returns the sockets of all agents, welcomed or not; of all streams; or of one stream. Oldest
   * first; some may be closing. Takes longer the more there are.
   */
  accepted(tag: "agent" | "stream" | StreamId): Socket[];
  attachmentOf(socket: Socket): Attachment;
  attach(socket: Socket, attachment: Attachment): void;
  /** Returns when the platform last answered a heartbeat of the socket, unix ms; null if never. */
  pingedMs(socket: Socket): number | null;
};

/** WebSocket.OPEN, for sockets of any platform. */
export const OPEN = 1;
export const isOpen = (socket: RelaySocket): boolean => socket.readyState === OPEN;

export class BoxSockets<Socket extends RelaySocket> {
  readonly #host: SocketHost<Socket>;
  readonly #streams = new Map<StreamId, Socket>();
  /** Streams that lost their socket a moment ago, and that socket. */
  readonly #orphans = new Map<StreamId, Socket>();
  /** The open sockets of streams, with their model. */
  #attached: Map<Socket, string | null> | null = null;
  #agent: Socket | null | undefined;

  constructor(host: SocketHost<Socket>) {
    this.#host = host;
  }

  /** The socket of the agent that was welcomed last, dead or alive. */
  get agent(): Socket | null {
    if (this.#agent === undefined)
      this.#agent =
        this.#host
          .accepted("agent")
          .findLast((socket) => isOpen(socket) && agentOf(this.#host, socket).agentId !== null) ??
        null;
    return this.#agent;
  }

  set agent(socket: Socket | null) {
    this.#agent = socket;
  }

  /** Number of streams that hold a socket. */
  get streamsAttached(): number {
    return this.#attachedStreams().size;
  }

  /** Returns the number of streams that hold a socket and need this model. */
  streamsOf(model: string): number {
    let count = 0;
    for (const needed of this.#attachedStreams().values()) if (needed === model) count++;
    return count;
  }

  stream(id: StreamId): Socket | null {
    const known = this.#streams.get(id);
    if (known !== undefined) return known;
    const found = this.#host.accepted(id).find(isOpen); // after hibernation
    if (found !== undefined) this.#streams.set(id, found);
    return found ?? null;
  }

  /** The stream has a new socket. */
  attached(id: StreamId, socket: Socket): void {
    this.#streams.set(id, socket);
    this.#orphans.delete(id);
    this.#attachedStreams().set(socket, streamModelOf(this.#host, socket));
  }

  /** Returns whether the stream has a socket, or lost it a moment ago and may attach again. */
  holds(id: StreamId): boolean {
    return this.stream(id) !== null || this.#orphans.has(id);
  }

  /** A socket of the stream is closed. The stream may have a newer one. */
  detached(id: StreamId, socket: Socket): void {
    if (this.#streams.get(id) === socket) this.#streams.delete(id);
    this.#attached?.delete(socket);
  }

  /** The stream lost that socket, which was its last. */
  orphaned(id: StreamId, socket: Socket): void {
    this.#orphans.set(id, socket);
  }

  /**
   * Returns whether the stream is still without a socket since it lost that one, and forgets it.
   */
  takeOrphan(id: StreamId, socket: Socket): boolean {
    return this.#orphans.get(id) === socket && this.#orphans.delete(id);
  }

  /** Listing all sockets takes longer the more there are, so it is done once after each start. */
  #attachedStreams(): Map<Socket, string | null> {
    this.#attached ??= new Map(
      this.#host
        .accepted("stream")
        .filter(isOpen)
        .map((socket) => [socket, streamModelOf(this.#host, socket)]),
    );
    return this.#attached;
  }
}

function streamModelOf<Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  socket: Socket,
): string | null {
  const attachment = host.attachmentOf(socket);
  return attachment.kind === "stream" ? attachment.model : null;
}

export function agentOf<Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  socket: Socket,
): AgentAttachment {
  const attachment = host.attachmentOf(socket);
  if (attachment.kind !== "agent") throw new Error("expected an agent's socket, got a stream's");
  return attachment;
}

/** Sends a message. A socket that was closed a moment ago must not fail the others. */
export function sendTo(socket: RelaySocket, message: Uint8Array): void {
  try {
    socket.send(message);
  } catch {
    // The close event is on its way, and the ends resume.
  }
}

export const sendFrames = (socket: RelaySocket, ...frames: Frame[]): void =>
  sendTo(socket, encodeFrames(frames));

/** Sends the state of the agent's socket to all streams. */
export function notifyStreams<Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  type: typeof FrameType.gone | typeof FrameType.back,
): void {
  for (const socket of host.accepted("stream")) {
    const attachment = host.attachmentOf(socket);
    if (attachment.kind === "stream") sendFrames(socket, streamFrame(type, attachment.id));
  }
}
