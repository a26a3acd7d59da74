/**
 * The rule whether the agent of a box may keep text. Hibernation keeps it with the socket of the agent;
 * after a restart it is unknown, until the agent connects or the settings change.
 */
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { EdgeSettings } from "../../protocol/messages.ts";
import {
  agentOf,
  type BoxSockets,
  isOpen,
  type RelaySocket,
  type SocketHost,
  sendFrames,
} from "./sockets.ts";

export class TextRule<Socket extends RelaySocket> {
  readonly #host: SocketHost<Socket>;
  readonly #sockets: BoxSockets<Socket>;
  /** As last passed on. */
  #settings: EdgeSettings | null = null;

  constructor(host: SocketHost<Socket>, sockets: BoxSockets<Socket>) {
    this.#host = host;
    this.#sockets = sockets;
  }

  /** The settings in force; null if they are not known. */
  get inForce(): EdgeSettings | null {
    const { agent } = this.#sockets;
    this.#settings ??= agent === null ? null : agentOf(this.#host, agent).settings;
    return this.#settings;
  }

  /**
   * True if a stream may not allow its agent to keep text. A Worker learns later than this Box that
   * text was switched off.
   */
  get forbidsText(): boolean {
    const { inForce } = this;
    if (inForce !== null) return !inForce.keep_text;
    // An agent that takes settings drops the text of open requests if they forbid it.
    const { agent } = this.#sockets;
    return agent === null || !agentOf(this.#host, agent).takesSettings;
  }

  /** Passes the settings in force to the agent. An older one learns them when it connects again. */
  settle(all: EdgeSettings): void {
    // The pins are for the agent alone, and an attachment has little room.
    const settings: EdgeSettings = { keep_text: all.keep_text };
    this.#settings = settings;
    const { agent } = this.#sockets;
    if (agent === null || !isOpen(agent)) return;
    const attachment = agentOf(this.#host, agent);
    this.#host.attach(agent, { ...attachment, settings });
    if (attachment.takesSettings) sendFrames(agent, tunnelFrame(FrameType.settings, all));
  }
}
