/**
 * The relay of a box, without a platform: sockets, clock and ledger are passed in. `box.ts` passes
 * those of a Durable Object; the simulation passes its own.
 *
 * Copies frames and keeps nothing for a request. Sockets are found by their tags and attachments,
 * so the object may hibernate, restart or lose a socket, and the ends resume.
 */
import {
  decodeFrames,
  type Frame,
  FrameError,
  FrameType,
  parsePayload,
  type StreamId,
  streamFrame,
  tunnelFrame,
  typeName,
} from "../../protocol/frames.ts";
import type { Certified, Membership } from "../../protocol/joining.ts";
import { STREAMS_PER_BOX_MAX } from "../../protocol/limits.ts";
import { abortFrame, type EdgeSettings, Hello, type Welcome } from "../../protocol/messages.ts";
import type { FailureReason } from "../errors.ts";
import { isOfTunnel, streamParts } from "./agent-message.ts";
import type { Attach } from "./attach.ts";
import type { OpenCalls } from "./counted-calls.ts";
import { KeyRule } from "./key-rule.ts";
import { BoxLoad, type ModelLoad, type RelayStatus } from "./load.ts";
import { removeMembers, renew } from "./members.ts";
import { AgentPresence, CLOSE_NAME_TAKEN, CLOSE_REPLACED, type PresenceShell } from "./presence.ts";
import { type BoxRegistry, passReadings, passRecords } from "./reports.ts";
import {
  type AgentAttachment,
  agentOf,
  BoxSockets,
  greeted,
  newAgent,
  newStream,
  notifyStreams,
  type RelaySocket,
  type SocketHost,
  sendFrames,
  sendTo,
} from "./sockets.ts";
import { TextRule } from "./text-rule.ts";

export type RelayShell<Socket extends RelaySocket> = PresenceShell<Socket> & {
  /** Called for each use: a stub that failed is not used again. */
  registry(): BoxRegistry;
  /** @param inForce  the settings in force; null if they are not known yet */
  welcome(hello: Hello, inForce: EdgeSettings | null): Welcome;
  /** Returns a new certificate for a box that joined. */
  certify(member: Membership): Promise<Certified>;
  /** Called with the socket of a stream that the agent has ended. */
  ended(socket: Socket): void;
  /** Lets a promise run beside the current call. */
  meanwhile(promise: Promise<unknown>): void;
  log(level: "warn" | "error", event: string, fields: Record<string, unknown>): void;
};

/**
 * A stream that lost its socket has a new one by then. Short: Ollama stops 1 s after its caller
 * left.
 */
const ATTACH_AGAIN_MS = 500;

export class Relay<Socket extends RelaySocket> {
  readonly #shell: RelayShell<Socket>;
  readonly #host: SocketHost<Socket>;
  readonly #sockets: BoxSockets<Socket>;
  readonly #agent: AgentPresence<Socket>;
  readonly #load = new BoxLoad();
  readonly text: TextRule<Socket>;
  readonly keys: KeyRule<Socket>;
  readonly calls: OpenCalls;

  constructor(shell: RelayShell<Socket>) {
    this.#shell = shell;
    this.#host = shell.sockets;
    this.#sockets = new BoxSockets(shell.sockets);
    this.calls = this.#sockets;
    this.text = new TextRule(shell.sockets, this.#sockets);
    this.keys = new KeyRule(shell.sockets, this.#sockets);
    this.#agent = new AgentPresence(shell, this.#sockets, (socket) =>
      shell.meanwhile(this.#lost(socket)),
    );
  }

  /** Takes the socket of an agent. Its HELLO comes next. */
  connect(socket: Socket, box: string, member: Membership | null = null): void {
    this.#host.accept(socket, newAgent(box, member, this.#shell.now()));
  }

  /** Closes the sockets of joinings up to that time, welcomed or not. */
  async remove(untilMs: number): Promise<void> {
    for (const socket of removeMembers(this.#host, untilMs)) await this.#lost(socket);
  }

  /** Waits for an agent that drains or was lost a moment ago. Returns whether it had to. */
  agentBack(waitMs: number): Promise<boolean> {
    return this.#agent.back(waitMs);
  }

  /** Returns why the box cannot take a new stream; null if it can. */
  refusal(box: string): FailureReason | null {
    const agent = this.#agent.live();
    if (agent === null) return { reason: "box_down", box };
    if (agentOf(this.#host, agent).isDraining) return { reason: "box_draining", box };
    const isBusy = this.#sockets.streamsAttached >= STREAMS_PER_BOX_MAX;
    return isBusy ? { reason: "box_busy", box } : null;
  }

  /**
   * Takes the socket of a stream.
   * @param isResume  the stream had one before
   * @param carried   the first frames of a new stream, for the agent; null if they follow
   */
  attach(
    socket: Socket,
    stream: Pick<Attach, "box" | "id" | "model" | "key" | "isResume">,
    carried: Uint8Array | null,
  ): void {
    const { id, isResume } = stream;
    this.#host.accept(socket, newStream(stream));
    this.#sockets.attached(id, socket);
    const agent = this.#agent.live();
    if (carried !== null && agent !== null) sendTo(agent, carried);
    if (isResume && agent === null) sendFrames(socket, streamFrame(FrameType.gone, id));
  }

  /** Returns the load of a model: the streams that need it, and what only the agent knows. */
  loadOf(model: string): ModelLoad {
    const { local, ...known } = this.#load.of(model, this.#shell.now());
    return { open: this.#sockets.streamsOf(model) + local, ...known };
  }

  /** Returns the box as it is now. Makes the agent send fresh readings: somebody is watching. */
  async status(): Promise<RelayStatus> {
    const { now, wait } = this.#shell;
    const agent = this.#agent.live();
    if (agent !== null) {
      if (this.#load.takeWatch(now())) sendFrames(agent, tunnelFrame(FrameType.watch));
      await this.#load.untilFresh(now, wait);
    }
    const load = this.#load.at(now());
    const inFlight = this.#sockets.streamsAttached + (load?.local ?? 0);
    return {
      isUp: agent !== null,
      isDraining: agent !== null && agentOf(this.#host, agent).isDraining,
      inFlight,
      // The report is older than the count of streams, some of which may have ended meanwhile.
      queueDepth: load === null ? null : Math.min(load.queued, inFlight),
      requests: agent === null ? [] : (load?.requests ?? []),
    };
  }

  /** Takes a binary message. @throws the registry's error; the agent sends its records again */
  async received(socket: Socket, message: Uint8Array): Promise<void> {
    const attachment = this.#host.attachmentOf(socket);
    if (attachment.kind === "stream") {
      const agent = this.#agent.live();
      if (agent !== null) sendTo(agent, message);
      return;
    }
    this.heartbeat(socket);
    try {
      const frames = decodeFrames(message);
      if (attachment.agentId === null) this.#greet(socket, attachment, frames);
      // Replaced: its frames must not mix with its successor's, which sends the records again.
      else if (socket !== this.#sockets.agent) return;
      else await this.#fromAgent(socket, attachment, frames, message);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      // Closes this socket only: its streams resume over the next one.
      this.#shell.log("warn", "bad_frame", { box: attachment.box, why: error.message });
      socket.close(1002, error.message.slice(0, 120));
      await this.#lost(socket);
    }
  }

  /** Notes a sign of life, such as a heartbeat that the platform did not answer by itself. */
  heartbeat(socket: Socket): void {
    this.#agent.seen(socket);
  }

  /** The socket is closed, by either side. @param code  1006 if there was no close frame */
  async closed(socket: Socket, code: number): Promise<void> {
    const attachment = this.#host.attachmentOf(socket);
    if (attachment.kind === "agent") return this.#lost(socket);
    const { id } = attachment;
    this.#sockets.detached(id, socket);
    // A Worker that ends a stream in order closes with 1000. Otherwise its invocation died with the
    // caller, or only this socket was lost and the stream attaches again at once.
    if (code === 1000 || this.#sockets.stream(id) !== null) return;
    this.#sockets.orphaned(id, socket);
    await this.#shell.wait(ATTACH_AGAIN_MS);
    if (this.#sockets.takeOrphan(id, socket)) this.#cancel(id);
  }

  /** Takes an agent's HELLO, if its name is free. */
  #greet(socket: Socket, attachment: AgentAttachment, frames: Frame[]): void {
    const [first] = frames;
    if (first?.type !== FrameType.hello || frames.length > 1)
      throw new FrameError("an agent must send HELLO first, and wait for WELCOME");
    const hello = parsePayload(Hello, first.payload);
    if (hello.box !== attachment.box)
      throw new FrameError(`HELLO of box ${hello.box} on the socket of box ${attachment.box}`);
    const holder = this.#agent.live();
    if (holder !== null && agentOf(this.#host, holder).agentId !== hello.agent_id) {
      this.#shell.log("warn", "name_taken", { box: hello.box });
      return socket.close(
        CLOSE_NAME_TAKEN,
        `another agent is connected as box ${hello.box}; set another BOX_NAME`,
      );
    }
    // The same agent again: its old socket is dead, even if the platform has not noticed.
    holder?.close(CLOSE_REPLACED, "replaced by a newer connection of the same agent");
    this.#host.attach(socket, greeted(attachment, hello));
    const cameMs = this.#agent.came(socket);
    sendFrames(
      socket,
      tunnelFrame(FrameType.welcome, this.#shell.welcome(hello, this.text.inForce)),
    );
    notifyStreams(this.#host, FrameType.back);
    // A box that the registry lacks is never chosen, so its agent has to dial again.
    const registered = this.#shell.registry().connected(hello, cameMs);
    this.#shell.meanwhile(
      registered.then(
        ({ keys, ...settings }) => {
          this.text.settle(settings);
          if (keys !== undefined) this.keys.settle(keys);
        },
        () => socket.close(1011, "the registry of boxes failed"),
      ),
    );
  }

  async #fromAgent(
    socket: Socket,
    attachment: AgentAttachment,
    frames: Frame[],
    message: Uint8Array,
  ): Promise<void> {
    for (const { id, bytes, isEnd } of streamParts(frames, message)) {
      const to = this.#sockets.stream(id);
      if (to === null) continue;
      sendTo(to, bytes.slice());
      if (isEnd) this.#shell.ended(to);
    }
    // Last, since these wait for the registry: the next message must not overtake a stream's
    // frames.
    for (const frame of frames.filter(isOfTunnel))
      await this.#fromTunnel(socket, attachment, frame);
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
        // Only now are they in the ledger.
        return sendFrames(socket, tunnelFrame(FrameType.recorded, { position }));
      }
      case FrameType.readings:
        return this.#load.report(await passReadings(payload, box, registry), this.#shell.now());
      case FrameType.drain:
        this.#agent.drains(socket, payload);
        await registry.draining(box);
        return;
      case FrameType.renew:
        return renew(socket, attachment.member, this.#shell.certify);
      default:
        throw new FrameError(`${typeName(type)} from an agent`);
    }
  }

  async #lost(socket: Socket): Promise<void> {
    const { box, agentId } = agentOf(this.#host, socket);
    if (agentId === null || socket !== this.#sockets.agent) return; // never welcomed, or replaced
    const lostMs = this.#agent.left();
    notifyStreams(this.#host, FrameType.gone);
    await this.#shell.registry().gone(box, lostMs); // a reconnect may overtake this call
  }

  #cancel(id: StreamId): void {
    const { agent } = this.#sockets;
    const message = "the caller's connection is gone";
    const abort = abortFrame(id, { code: "caller_gone", message, presumed: true });
    if (agent !== null) sendFrames(agent, abort);
  }
}
