/**
 * The sockets of a box: its agent's, and one of each stream. Found in constant time.
 *
 * What is kept here is a copy: the platform has sockets, tags and attachments through hibernation, and
 * an object that wakes up finds all of it again.
 */
import { z } from "zod";
import type { StreamId } from "../../protocol/frames.ts";

/** What a socket carries through hibernation. */
export const Attachment = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("agent"),
    box: z.string(),
    agentId: z.string().nullable(),
    isDraining: z.boolean(),
    sinceMs: z.number(),
  }),
  z.object({ kind: z.literal("stream"), id: z.string() }),
]);
export type Attachment = z.infer<typeof Attachment>;
export type AgentAttachment = Extract<Attachment, { kind: "agent" }>;

/** As much of a WebSocket as a relay needs: the real ones are lent as they are. */
export type RelaySocket = {
  readonly readyState: number;
  send(message: Uint8Array): void;
  close(code: number, reason: string): void;
};

/** The sockets as the platform keeps them. */
export type SocketHost<Socket extends RelaySocket> = {
  accept(socket: Socket, attachment: Attachment): void;
  /** All agents' sockets, greeted or not; all streams'; or those of one stream. Oldest first, and some may be closing. Slower the more there are. */
  accepted(tag: "agent" | "stream" | StreamId): Socket[];
  attachmentOf(socket: Socket): Attachment;
  attach(socket: Socket, attachment: Attachment): void;
  /** When the platform last answered its heartbeat, unix ms; null: never. */
  pingedMs(socket: Socket): number | null;
};

/** WebSocket.OPEN, for sockets of any platform. */
export const OPEN = 1;
export const isOpen = (socket: RelaySocket): boolean => socket.readyState === OPEN;

export class BoxSockets<Socket extends RelaySocket> {
  readonly #host: SocketHost<Socket>;
  readonly #streams = new Map<StreamId, Socket>();
  #attached: Set<Socket> | null = null;
  #agent: Socket | null | undefined;

  constructor(host: SocketHost<Socket>) {
    this.#host = host;
  }

  /** The socket of the agent that was greeted last, dead or alive. */
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

  /** Streams that hold a socket. */
  get streamsAttached(): number {
    return this.#attachedStreams().size;
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
    this.#attachedStreams().add(socket);
  }

  /** That socket of the stream is closed. It may have a newer one. */
  detached(id: StreamId, socket: Socket): void {
    if (this.#streams.get(id) === socket) this.#streams.delete(id);
    this.#attached?.delete(socket);
  }

  /** Listing all sockets costs more the more there are, so it is done once per life in memory. */
  #attachedStreams(): Set<Socket> {
    this.#attached ??= new Set(this.#host.accepted("stream").filter(isOpen));
    return this.#attached;
  }
}

export function agentOf<Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  socket: Socket,
): AgentAttachment {
  const attachment = host.attachmentOf(socket);
  if (attachment.kind !== "agent") throw new Error("a stream's socket where the agent's should be");
  return attachment;
}

/** A socket that was closed a moment ago must not fail the others. */
export function sendTo(socket: RelaySocket, message: Uint8Array): void {
  try {
    socket.send(message);
  } catch {
    // its close event is on the way, and the ends resume
  }
}
