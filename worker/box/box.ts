/**
 * Box: one Durable Object for each GPU box, the relay between the agent's WebSocket and those of
 * the streams that Workers hold.
 *
 * A thin shell around {@link Relay}, which decides everything. Here are the clock and the sockets
 * of the platform, which hibernate with the object. The platform answers heartbeats without waking
 * it.
 */
import { DurableObject } from "cloudflare:workers";
import { HEARTBEAT_MS, SUBPROTOCOL } from "../../protocol/limits.ts";
import { freeMemory } from "../../protocol/memory.ts";
import type { EdgeSettings, Hello, Welcome } from "../../protocol/messages.ts";
import type { UpdateOffer } from "../../protocol/update.ts";
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings } from "../env.ts";
import { errorResponse } from "../error-response.ts";
import { type Authority, authoritiesOf } from "../joining/authority.ts";
import { certify } from "../joining/certificate.ts";
import type { KeyEnds } from "../keys/ends.ts";
import { quotaOf } from "../quota/stub.ts";
import { settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import {
  type Attach,
  attachOf,
  carriedIn,
  IS_BUSIER,
  KEYS_ARE_OLDER,
  LIMIT_IS_REACHED,
  loadHeaders,
  RELAYED_HEADER,
  TEXT_IS_OFF,
} from "./attach.ts";
import { CountedCalls } from "./counted-calls.ts";
import type { Stopped } from "./key-rule.ts";
import type { RelayStatus } from "./load.ts";
import { memberIn } from "./member.ts";
import { offerUpdate } from "./members.ts";
import { Relay } from "./relay.ts";
import { Attachment, type SocketHost } from "./sockets.ts";

/** The key in the storage of the time up to which joinings are refused. */
const REMOVED = "removed_until_ms";

export class Box extends DurableObject<Bindings> {
  readonly #sockets: SocketHost<WebSocket>;
  readonly #core: Relay<WebSocket>;
  readonly #counted: CountedCalls;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#sockets = socketsOf(ctx);
    this.#core = new Relay({
      sockets: this.#sockets,
      registry: () => aggregatorOf(env),
      welcome: (hello, inForce) => welcomeOf(env, hello, inForce),
      certify: async (member) => {
        const [newest, ...older] = await authoritiesIn(env);
        return certify(newest, member, Date.now(), older);
      },
      ended: (socket) => this.#counted.ended(this.#sockets.attachmentOf(socket)),
      now: Date.now,
      wait: (ms) => scheduler.wait(ms),
      meanwhile: (promise) => ctx.waitUntil(promise),
      log: (level, event, fields) => console[level](JSON.stringify({ event, ...fields })),
    });
    this.#counted = new CountedCalls(
      {
        quotaOf: (lineage) => quotaOf(env, lineage),
        wait: (ms) => scheduler.wait(ms),
        meanwhile: (promise) => ctx.waitUntil(promise),
        log: (event, fields) => console.warn(JSON.stringify({ event, ...fields })),
      },
      this.#core.calls,
    );
  }

  /**
   * Takes an agent's socket at `/connect?box=`, a stream's at the URL of `attach.ts`. The Worker has
   * authenticated both.
   */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { 0: far, 1: near } = new WebSocketPair();
    if (url.pathname === "/connect") {
      const member = memberIn(request.headers);
      const box = url.searchParams.get("box") ?? "";
      if (member !== null && member.joinedMs <= (await this.#removedUntilMs()))
        return errorResponse("api", { reason: "box_removed", box }, crypto.randomUUID());
      this.#core.connect(near, box, member);
      return new Response(null, {
        status: 101,
        webSocket: far,
        headers: { "sec-websocket-protocol": SUBPROTOCOL },
      });
    }
    const stream = attachOf(url);
    const { model, key, isResume, waitMs } = stream;
    let carried = isResume ? null : carriedIn(request.headers);
    // After a wait, the time in the OPEN is wrong. The Worker sends another one.
    if (!isResume && waitMs > 0 && (await this.#core.agentBack(waitMs))) carried = null;
    const refusal = this.#refusalOf(stream);
    if (refusal !== null) return refusal;
    if (key !== null && key.limits !== null) {
      const uncounted = await this.#uncounted(stream);
      if (uncounted !== null) return uncounted;
    }
    this.#core.attach(near, stream, carried);
    const headers: HeadersInit = {
      ...(carried !== null && { [RELAYED_HEADER]: "1" }),
      ...(model !== null && loadHeaders(this.#core.loadOf(model))),
    };
    return new Response(null, { status: 101, webSocket: far, headers });
  }

  /** Returns why a stream is refused, by what this Box knows; null if it is not. */
  #refusalOf({ box, id, model, key, openMost, isResume, keepsText }: Attach): Response | null {
    if (!isResume) {
      const refusal = this.#core.refusal(box);
      if (refusal !== null) return errorResponse("api", refusal, id);
      const load = model === null || openMost === null ? null : this.#core.loadOf(model);
      if (load !== null && load.open > (openMost ?? 0))
        return new Response(null, { status: IS_BUSIER, headers: loadHeaders(load) });
      if (keepsText && this.#core.text.forbidsText)
        return new Response(null, { status: TEXT_IS_OFF });
    }
    return key !== null && this.#core.keys.isOlder(key)
      ? new Response(null, { status: KEYS_ARE_OLDER })
      : null;
  }

  /** Counts a call of a key with limits. Returns why it is refused; null if it is not. */
  async #uncounted(stream: Attach): Promise<Response | null> {
    const { key, id } = stream;
    try {
      const reached = await this.#counted.admit(key, stream);
      if (reached !== null) return Response.json(reached, { status: LIMIT_IS_REACHED });
    } catch (error) {
      console.error(JSON.stringify({ event: "call_not_counted", request_id: id, why: `${error}` }));
      this.#counted.turnedAway(key, stream);
      return errorResponse("api", { reason: "limits_unchecked" }, id);
    }
    // The agent may have left meanwhile, or the key been revoked.
    const refusal = this.#refusalOf(stream);
    if (refusal !== null) this.#counted.turnedAway(key, stream);
    return refusal;
  }

  /** Returns which of these calls have a stream here, and which are over. */
  callsOf(ids: readonly string[]): { held: string[]; over: string[] } {
    return this.#counted.of(ids);
  }

  /**
   * Returns the box as it is now. Makes the agent send fresh readings, since somebody is watching.
   */
  status(): Promise<RelayStatus> {
    return this.#core.status();
  }

  /** Closes the tunnel of joinings up to that time, and refuses their certificates from now on. */
  async remove(untilMs: number): Promise<void> {
    await this.ctx.storage.put(REMOVED, Math.max(untilMs, await this.#removedUntilMs()));
    await this.#core.remove(untilMs);
  }

  /** Read only when a box that joined connects: a Worker may not know yet that it was removed. */
  async #removedUntilMs(): Promise<number> {
    return (await this.ctx.storage.get<number>(REMOVED)) ?? 0;
  }

  /** Passes an offer to the agent. Returns whether there is one that takes it. */
  offerUpdate(offer: UpdateOffer): boolean {
    return offerUpdate(this.#sockets, offer);
  }

  /** Takes the settings that were changed at run time, for the agent. */
  settle(settings: EdgeSettings): void {
    this.#core.text.settle(settings);
  }

  /** Takes the ends of the keys, after a change. */
  settleKeys(ends: KeyEnds): void {
    this.#core.keys.settle(ends);
  }

  /** Stops a request that is in flight here. See {@link KeyRule.stop}. */
  stop(id: string, by: string, keyId: string | null): Stopped {
    return this.#core.keys.stop(id, by, keyId);
  }

  override webSocketMessage(
    socket: WebSocket,
    message: ArrayBuffer | string,
  ): void | Promise<void> {
    return typeof message === "string"
      ? this.#core.heartbeat(socket)
      : this.#passOn(socket, message);
  }

  async #passOn(socket: WebSocket, message: ArrayBuffer): Promise<void> {
    await this.#core.received(socket, new Uint8Array(message));
    freeMemory(message);
  }

  override async webSocketClose(socket: WebSocket, code: number): Promise<void> {
    try {
      socket.close(code === 1005 || code === 1006 ? 1000 : code);
    } catch {
      // closed already
    }
    await this.#core.closed(socket, code);
    this.#counted.closed(this.#sockets.attachmentOf(socket));
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.webSocketClose(socket, 1006);
  }
}

/** @throws {Error} if the edge has no pepper any more, and so cannot have admitted the box */
async function authoritiesIn(env: Bindings): Promise<[Authority, ...Authority[]]> {
  const [newest, ...older] = await authoritiesOf(settingsOf(env).peppers);
  if (newest === undefined) throw new Error("the edge has no pepper to sign certificates with");
  return [newest, ...older];
}

function welcomeOf(env: Bindings, hello: Hello, inForce: EdgeSettings | null): Welcome {
  const { logContent, stores } = settingsOf(env);
  // While the settings in force are unknown, an agent that gets them in a moment keeps no text.
  const deployed = hello.takes_settings ? undefined : logContent === "on";
  return {
    edge_version: VERSION,
    now_ms: Date.now(),
    heartbeat_ms: HEARTBEAT_MS,
    keep_text: inForce?.keep_text ?? deployed,
    exporter_type: stores.exporterType,
    relays_waiting: true,
  };
}

function socketsOf(ctx: DurableObjectState): SocketHost<WebSocket> {
  /** Parsed once after each start, because every message reads it. */
  const attachments = new WeakMap<WebSocket, Attachment>();
  const attach = (socket: WebSocket, attachment: Attachment) => {
    socket.serializeAttachment(attachment);
    attachments.set(socket, attachment);
  };
  return {
    accept: (socket, attachment) => {
      ctx.acceptWebSocket(
        socket,
        attachment.kind === "agent" ? ["agent"] : ["stream", attachment.id],
      );
      attach(socket, attachment);
    },
    accepted: (tag) => ctx.getWebSockets(tag),
    attachmentOf: (socket) => {
      const known = attachments.get(socket);
      if (known !== undefined) return known;
      const attachment = Attachment.parse(socket.deserializeAttachment());
      attachments.set(socket, attachment);
      return attachment;
    },
    attach,
    pingedMs: (socket) => ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? null,
  };
}
