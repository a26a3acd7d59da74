/**
 * The listener: the Ollama of this box once more, on an address of its own, for callers on this
 * machine or its network; what they call is recorded like what comes through the tunnel.
 *
 * Same allowlist, same checks, same answers. Any path of the allowlist is open to whoever reaches
 * the address, as it is with Ollama itself, except to the web pages of strangers.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { hostname } from "node:os";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { HEAD_BYTES_MAX, STREAMS_PER_BOX_MAX } from "../../protocol/limits.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { aim, apiOf } from "../../protocol/target.ts";
import { atMost, DRAIN_MS } from "../clock/drain.ts";
import { ListenError } from "../errors.ts";
import { EnergyMeter } from "../measure/energy.ts";
import { OllamaClient } from "../request/ollama.ts";
import { isOwnHost, isOwnOrigin, pageHeaders, preflightHeaders } from "./admission.ts";
import {
  forwardsToItself,
  isLoopback,
  type ListenAddress,
  shownAddress,
} from "./listen-address.ts";
import { type Arrival, answerError, type CallShell, LocalCall } from "./local-call.ts";
import { type LocalFailure, localWireErrorOf } from "./local-failure.ts";

export type ListenerOptions = Omit<CallShell, "ollama"> & {
  /** The Ollama that is called: not to be the listener itself. */
  ollamaUrl: URL;
  /** A call is over and its record is written. */
  onOver(endpoint: string): void;
};

/** Of this process. */
export const CLOCKS = { now: () => performance.now(), wallClock: Date.now };

/** The listener alone. */
export const NOTHING_RECORDED = { spool: null, energy: new EnergyMeter(), keepsText: () => false };

/** How long callers have to take the error that tells them of a stop. */
const LAST_WORDS_MS = 500;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #shell: CallShell;
  readonly #ollama: OllamaClient;
  readonly #server: Server;
  readonly #calls = new Set<LocalCall>();
  #isLoopback = true;
  #isDraining = false;
  #whenIdle: (() => void)[] = [];

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#ollama = new OllamaClient(options.ollamaUrl);
    this.#shell = { ...options, ollama: this.#ollama };
    // Like Ollama, it waits for a slow upload, and keeps an idle connection, as long as the caller does.
    const limits = { maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: 0, keepAliveTimeout: 0 };
    this.#server = createServer(limits, (request, response) => this.#receive(request, response));
    // Every call on a connection listens for its end, and a caller may send many before the first is answered.
    this.#server.on("connection", (socket) => socket.setMaxListeners(0));
  }

  /** Calls that are open. */
  get inFlight(): number {
    return this.#calls.size;
  }

  get requests(): OpenRequest[] {
    return Array.from(this.#calls, (call) => call.asOpen);
  }

  /** Those of them that Ollama has not begun to answer. */
  get queued(): number {
    let queued = 0;
    for (const call of this.#calls) if (call.isQueued) queued++;
    return queued;
  }

  /**
   * @returns where it listens, with the port that was found for port 0
   * @throws {ListenError} when nothing can listen there, or it would forward to itself
   */
  async listen(wanted: ListenAddress): Promise<ListenAddress> {
    const { ollamaUrl, log } = this.#options;
    if (await forwardsToItself(wanted, ollamaUrl)) {
      throw new ListenError(
        `cannot listen on ${shownAddress(wanted)}: that is the Ollama to forward to (${ollamaUrl.origin}). ` +
          "Listen on another port, or move Ollama and set OLLAMA_HOST.",
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
      .on("error", (error) => log("error", "listener_failed", { error }));
    const bound = this.#server.address();
    if (bound === null || typeof bound === "string")
      throw new ListenError(`${shownAddress(wanted)} is no address of a network`);
    this.#isLoopback = isLoopback(bound.address);
    const address = { host: wanted.host, port: bound.port };
    log("info", "listening", { address: shownAddress(address) });
    return address;
  }

  /** Takes no new calls; resolves when the open ones are over, or have had their time. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    this.#server.close();
    await atMost(DRAIN_MS, this.#idle());
  }

  /** Ends at once: open calls end with an error. */
  async stop(): Promise<void> {
    this.#isDraining = true;
    this.#server.close();
    for (const call of [...this.#calls]) call.stop();
    await atMost(LAST_WORDS_MS, this.#idle());
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
    if (origin !== undefined && !isOwnOrigin(origin))
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
    const call = new LocalCall(arrival, aimed.target, this.#shell);
    this.#calls.add(call);
    call.begin(() => this.#over(call));
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

/** How much of a header an error repeats. */
const shown = (text = ""): string => text.slice(0, 200);

function reasonOf(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case "EADDRINUSE":
      return "the port is in use by another program";
    case "EACCES":
      return "that port needs privileges";
    case "EADDRNOTAVAIL":
      return "that is no address of this machine";
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return "that host is not known";
    default:
      return error.message;
  }
}
