/**
 * The rule that no stream outlives the key of its caller, and that none begins with a key that has ended
 * or changed; and that one stream ends if somebody stops it. Workers learn changes of keys later than this Box.
 *
 * Hibernation keeps the version of the keys with the socket of the agent. After a restart it is unknown,
 * until the agent connects or a key changes.
 */
import { FrameType, jsonBytes, type StreamId, streamFrame } from "../../protocol/frames.ts";
import { endIn, type KeyEnds } from "../keys/ends.ts";
import type { AttachKey } from "./attach.ts";
import {
  agentOf,
  type BoxSockets,
  isOpen,
  type RelaySocket,
  type SocketHost,
  sendFrames,
} from "./sockets.ts";

export type Stopped = "stopped" | "not_here" | "not_theirs";

export class KeyRule<Socket extends RelaySocket> {
  readonly #host: SocketHost<Socket>;
  readonly #sockets: BoxSockets<Socket>;
  #version: number | null = null;

  constructor(host: SocketHost<Socket>, sockets: BoxSockets<Socket>) {
    this.#host = host;
    this.#sockets = sockets;
  }

  /** The newest version of the keys that is known; null if none is. */
  get #newest(): number | null {
    const { agent } = this.#sockets;
    this.#version ??= agent === null ? null : agentOf(this.#host, agent).keysVersion;
    return this.#version;
  }

  /** True if the Worker of a stream must read the keys again. */
  isOlder({ version, isFresh }: AttachKey): boolean {
    const newest = this.#newest;
    return newest === null ? !isFresh : version < newest;
  }

  /**
   * Stops one stream for somebody: its caller gets an error, and Ollama ends the answer.
   * @param by     as the record names them
   * @param keyId  stops only a stream of this key; null stops any
   */
  stop(id: StreamId, by: string, keyId: string | null): Stopped {
    const socket = this.#sockets.stream(id);
    const attachment = socket === null ? null : this.#host.attachmentOf(socket);
    if (socket === null || attachment?.kind !== "stream") return "not_here";
    if (keyId !== null && attachment.key?.id !== keyId) return "not_theirs";
    sendFrames(socket, streamFrame(FrameType.key, id, 0, jsonBytes({ stopped_by: by })));
    return "stopped";
  }

  /** Takes the ends of all keys, and passes them to the streams that may not know them. */
  settle(ends: KeyEnds): void {
    const { version } = ends;
    const before = this.#newest ?? -1;
    if (version < before) return;
    this.#version = version;
    const { agent } = this.#sockets;
    if (agent !== null && isOpen(agent))
      this.#host.attach(agent, { ...agentOf(this.#host, agent), keysVersion: version });
    if (version > before) this.#notifyStreams(ends);
  }

  #notifyStreams(ends: KeyEnds): void {
    for (const socket of this.#host.accepted("stream")) {
      const attachment = this.#host.attachmentOf(socket);
      if (attachment.kind !== "stream" || attachment.key === null) continue;
      const { id, key } = attachment;
      const end = jsonBytes(endIn(ends, key.id));
      if (key.version < ends.version) sendFrames(socket, streamFrame(FrameType.key, id, 0, end));
    }
  }
}
