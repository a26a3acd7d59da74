/**
 * The listener: serves this box's Ollama on a second address, to callers on this machine or its
 * network. Their calls are recorded like calls through the tunnel.
 *
 * Same allowlist, same checks, same answers. Anyone who reaches the address may use any path of the
 * allowlist, as with Ollama itself; only web pages from elsewhere are refused.
 */

import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { hostname } from "node:os";
import { isLocalOrigin } from "../../protocol/cross-origin.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { HEAD_BYTES_MAX, STREAMS_PER_BOX_MAX } from "../../protocol/limits.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aim, apiOf } from "../../protocol/target.ts";
import { atMost, DRAIN_MS } from "../clock/drain.ts";
import { ListenError } from "../errors.ts";
import type { LogLevel } from "../log.ts";
import { EnergyMeter } from "../measure/energy.ts";
import { OllamaClient } from "../request/ollama.ts";
import { turnsOf } from "../request/turn.ts";
import { isOwnHost, pageHeaders, preflightHeaders } from "./admission.ts";
import { type ConnectionLimits, ownConnectionLimits } from "./connection-limits.ts";
import {
  forwardsToItself,
  isLoopback,
  type ListenAddress,
  shownAddress,
} from "./listen-address.ts";
import { type Arrival, answerError, type CallShell, LocalCall } from "./local-call.ts";
import { type LocalFailure, localWireErrorOf } from "./local-failure.ts";
import { WaitingConnections } from "./waiting-connections.ts";

export type ListenerOptions = Omit<CallShell, "ollama"> & {
  /** The Ollama that is called. It must not be the listener itself. */
  ollamaUrl: URL;
  /** Replaces limits that follow from the process. For tests. */
  limits?: Partial<ConnectionLimits>;
  /** Runs when a call is over and its record is written. */
  onOver(endpoint: string): void;
};

/** The clocks of this process. */
export const CLOCKS = { now: () => performance.now(), wallClock: Date.now };

/** For a listener that measures and records nothing. */
export const NOTHING_RECORDED = {
  spool: null,
  energy: new EnergyMeter(),
  ...turnsOf(null),
  keepsText: () => false,
  forbidsText: () => true,
};

/** How long callers have to receive the error that ends their calls when the agent stops. */
const FINAL_ERRORS_MS = 500;

/** How often the server looks for heads that are overdue, at most. */
const CHECK_MS_MAX = 5_000;

/** The log has one line in this time about connections, however many fail. */
const LOG_EVERY_MS = 60_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #shell: CallShell;
  readonly #ollama: OllamaClient;
  readonly #server: Server;
  readonly #waiting: WaitingConnections;
  readonly #bodyMs: number;
  readonly #calls = new Set<LocalCall>();
  #isLoopback = true;
  #isDraining = false;
  #loggedMs = Number.NEGATIVE_INFINITY;
  #whenIdle: (() => void)[] = [];

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#ollama = new OllamaClient(options.ollamaUrl, options.patience);
    this.#shell = { ...options, ollama: this.#ollama };
    const { connectionsMax, headMs, bodyMs, idleMs } = {
      ...ownConnectionLimits(),
      ...options.limits,
    };
    this.#bodyMs = bodyMs;
    // A whole request may take any time: an upload is slow on a slow link.
    const settings = {
      maxHeaderSize: HEAD_BYTES_MAX,
      headersTimeout: headMs,
      requestTimeout: 0,
      keepAliveTimeout: idleMs,
      connectionsCheckingInterval: Math.min(CHECK_MS_MAX, headMs / 2),
    };
    this.#server = createServer(settings, (request, response) => this.#receive(request, response));
    this.#waiting = new WaitingConnections(this.#server);
    this.#server.maxConnections = connectionsMax;
    this.#server.on("drop", () => this.#full(connectionsMax));
    // Every call on a connection adds a close listener, and a caller may pipeline many calls.
    this.#server.on("connection", (socket) => socket.setMaxListeners(0));
  }

  /** The number of open calls. */
  get inFlight(): number {
    return this.#calls.size;
  }

  get requests(): OpenRequest[] {
    return Array.from(this.#calls, (call) => call.asOpen);
  }

  /** Ids of the open calls whose answer Ollama has finished. */
  get answered(): string[] {
    return [...this.#calls]
      .filter((call) => call.isAnswered)
      .map(({ asOpen }) => asOpen.request_id);
  }

  /** The state of the open calls, for the spool. */
  get progress(): NonNullable<LocalCall["progress"]>[] {
    return Array.from(this.#calls, (call) => call.progress ?? []).flat();
  }

  /** The number of open calls that Ollama has not begun to answer. */
  get queued(): number {
    let queued = 0;
    for (const call of this.#calls) if (call.isQueued) queued++;
    return queued;
  }

  /**
   * @returns the bound address, with the port that was chosen for port 0
   * @throws {ListenError} if the address cannot be bound, or the listener would forward to itself
   */
  async listen(wanted: ListenAddress): Promise<ListenAddress> {
    const { ollamaUrl, log } = this.#options;
    if (await forwardsToItself(wanted, ollamaUrl)) {
      throw new ListenError(
        `cannot listen on ${shownAddress(wanted)}: that is the address of the Ollama to forward to ` +
          `(${ollamaUrl.origin}). ` +
          "Choose another --listen port, or move Ollama and set OLLAMA_HOST.",
      );
    }
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error) =>
        reject(new ListenError(`cannot listen on ${shownAddress(wanted)}: ${reasonOf(error)}`)),
      );
      this.#server.listen(wanted.port, wanted.host, resolve);
    });
    this.#server
      .removeAllListeners("error")
      .on("error", (error) => this.#rarely("error", "listener_failed", { error }));
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string")
      throw new ListenError(
        `cannot listen on ${shownAddress(wanted)}: it is not a network address`,
      );
    this.#isLoopback = isLoopback(bound.address);
    const address = { host: wanted.host, port: bound.port };
    log("info", "listening", { address: shownAddress(address) });
    return address;
  }

  /** Accepts no new calls. Resolves when the open ones are over, or at the drain limit. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#server.close();
    await atMost(DRAIN_MS, this.#idle());
  }

  /** Stops at once. Open calls end with an error. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#server.close();
    for (const call of [...this.#calls]) call.stop();
    await atMost(FINAL_ERRORS_MS, this.#idle());
    this.#server.closeAllConnections();
    this.#ollama.close();
  }

  #receive(request: IncomingMessage, response: ServerResponse): void {
    const { method = "", url = "", headers } = request;
    const { origin } = headers;
    const path = url.split(/[?#]/, 1)[0] ?? "";
    const arrival: Arrival = {
      id: newRequestId(this.#options.wallClock()),
      request,
      response,
      headers: {},
    };
    const refuse = (failure: LocalFailure) =>
      answerError(arrival, apiOf(path), localWireErrorOf(failure));

    if (this.#isLoopback && !isOwnHost(headers.host, hostname()))
      return refuse({ reason: "foreign_host", host: shown(headers.host) });
    if (origin !== undefined && !isLocalOrigin(origin))
      return refuse({ reason: "foreign_origin", origin: shown(origin) });
    if (
      method === "OPTIONS" &&
      origin !== undefined &&
      headers["access-control-request-method"] !== undefined
    )
      return void response
        .writeHead(204, preflightHeaders(origin, headers["access-control-request-headers"]))
        .end();
    arrival.headers = pageHeaders(origin);

    const aimed = aim(method, path);
    if (!aimed.ok) return refuse(aimed.failure);
    const { box } = this.#options;
    if (this.#isDraining) return refuse({ reason: "box_draining", box });
    if (this.#calls.size >= STREAMS_PER_BOX_MAX) return refuse({ reason: "box_busy", box });
    if (hasBody(headers)) this.#limitSilence(request);
    const call = new LocalCall(arrival, aimed.target, this.#shell);
    this.#calls.add(call);
    call.begin(() => this.#over(call));
  }

  /** Closes the connection of a caller that begins a body and then sends nothing. */
  #limitSilence(request: IncomingMessage): void {
    request.setTimeout(this.#bodyMs, () => request.socket.destroy());
    // Ollama may take any time to answer. Node sets the limit of an idle connection itself.
    request.once("end", () => request.setTimeout(0));
  }

  /** A connection was closed at once, because there are too many. */
  #full(connectionsMax: number): void {
    this.#waiting.close();
    this.#rarely("warn", "listener_full", { connections: connectionsMax });
  }

  /** Logs an event that may occur for every connection. */
  #rarely(level: LogLevel, event: string, fields: Record<string, unknown>): void {
    const { now, log } = this.#options;
    if (now() - this.#loggedMs < LOG_EVERY_MS) return;
    this.#loggedMs = now();
    log(level, event, fields);
  }

  #over(call: LocalCall): void {
    this.#calls.delete(call);
    this.#options.onOver(call.endpoint);
    if (this.#calls.size === 0) for (const resolve of this.#whenIdle.splice(0)) resolve();
  }

  #idle(): Promise<void> {
    return this.#calls.size === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#whenIdle.push(resolve));
  }
}

const hasBody = (headers: IncomingHttpHeaders): boolean =>
  headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;

/** How much of a header an error repeats. */
const shown = (text = ""): string => text.slice(0, 200);

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "another program uses that port. Choose another --listen port";
    case "EACCES":
      return "that port needs privileges. Choose a port above 1023";
    case "EADDRNOTAVAIL":
      return "that address does not belong to this machine";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "that host name does not resolve";
    default:
      return error.message;
  }
}
