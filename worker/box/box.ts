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
import { aggregatorOf } from "../aggregator/stub.ts";
import type { Bindings } from "../env.ts";
import { errorResponse } from "../error-response.ts";
import type { KeyEnds } from "../keys/ends.ts";
import { settingsOf } from "../settings.ts";
import { VERSION } from "../version.ts";
import {
  attachOf,
  carriedIn,
  IS_BUSIER,
  KEYS_ARE_OLDER,
  loadHeaders,
  RELAYED_HEADER,
  TEXT_IS_OFF,
} from "./attach.ts";
import type { RelayStatus } from "./load.ts";
import { Relay } from "./relay.ts";
import { Attachment, type SocketHost } from "./sockets.ts";

export class Box extends DurableObject<Bindings> {
  readonly #core: Relay<WebSocket>;

  constructor(ctx: DurableObjectState, env: Bindings) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    this.#core = new Relay({
      sockets: socketsOf(ctx),
      registry: () => aggregatorOf(env),
      welcome: (hello, inForce) => welcomeOf(env, hello, inForce),
      now: Date.now,
      wait: (ms) => scheduler.wait(ms),
      meanwhile: (promise) => ctx.waitUntil(promise),
      log: (level, event, fields) => console[level](JSON.stringify({ event, ...fields })),
    });
  }

  /**
   * Takes an agent's socket at `/connect?box=`, a stream's at the URL of `attach.ts`. The Worker has
   * authenticated both.
   */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const { 0: far, 1: near } = new WebSocketPair();
    if (url.pathname === "/connect") {
      this.#core.connect(near, url.searchParams.get("box") ?? "");
      return new Response(null, {
        status: 101,
        webSocket: far,
        headers: { "sec-websocket-protocol": SUBPROTOCOL },
      });
    }
    const stream = attachOf(url);
    const { box, id, model, key, openMost, isResume, keepsText, waitMs } = stream;
    let carried = isResume ? null : carriedIn(request.headers);
    if (!isResume) {
      // After a wait, the time in the OPEN is wrong. The Worker sends another one.
      if (waitMs > 0 && (await this.#core.agentBack(waitMs))) carried = null;
      const refusal = this.#core.refusal(box);
      if (refusal !== null) return errorResponse("api", refusal, id);
      const load = model === null || openMost === null ? null : this.#core.loadOf(model);
      if (load !== null && load.open > (openMost ?? 0))
        return new Response(null, { status: IS_BUSIER, headers: loadHeaders(load) });
      if (keepsText && this.#core.text.forbidsText)
        return new Response(null, { status: TEXT_IS_OFF });
    }
    if (key !== null && this.#core.keys.isOlder(key))
      return new Response(null, { status: KEYS_ARE_OLDER });
    this.#core.attach(near, stream, carried);
    const headers: HeadersInit = {
      ...(carried !== null && { [RELAYED_HEADER]: "1" }),
      ...(model !== null && loadHeaders(this.#core.loadOf(model))),
    };
    return new Response(null, { status: 101, webSocket: far, headers });
  }

  /**
   * Returns the box as it is now. Makes the agent send fresh readings, since somebody is watching.
   */
  status(): Promise<RelayStatus> {
    return this.#core.status();
  }

  /** Takes the settings that were changed at run time, for the agent. */
  settle(settings: EdgeSettings): void {
    this.#core.text.settle(settings);
  }

  /** Takes the ends of the keys, after a change. */
  settleKeys(ends: KeyEnds): void {
    this.#core.keys.settle(ends);
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
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.webSocketClose(socket, 1006);
  }
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
