/**
 * The requests of a bench to Ollama, one at a time: measured and recorded like those of callers, and
 * labelled `bench`.
 */
import { setTimeout as delay } from "node:timers/promises";
import { jsonBytes } from "../../protocol/frames.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import type { Open } from "../../protocol/messages.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { type RequestEnergy, SETTLE_MS } from "../measure/energy.ts";
import { type Measured, meterOf } from "../measure/meter.ts";
import { refusalText } from "../request/guard.ts";
import {
  type AnswerHandler,
  MeasuredRequest,
  type MeasuredRequestShell,
} from "../request/measured-request.ts";

const ENDPOINT = "/api/generate";
const BAD_GATEWAY = 502;

/**
 * Time that the energy of a request takes at most to be known: the meter's own, and its next tick.
 */
const ENERGY_WAIT_MS = SETTLE_MS + 1_500;
const POLL_MS = 50;

export type BenchRequestsShell = MeasuredRequestShell & {
  /** Wall clock, unix ms. */
  wallClock: () => number;
  /** A request is over. */
  onOver(endpoint: string): void;
};

/** The body of a request, besides `model` and `stream`. */
export type BenchPrompt = { prompt: string; keep_alive?: number; options?: Record<string, number> };

export type Generation =
  | { ok: true; measured: Measured; energy: RequestEnergy | null }
  /** Why there is no answer; `isRefused` if Ollama did not receive the request. */
  | { ok: false; message: string };

export class BenchRequests {
  readonly #shell: BenchRequestsShell;
  #open: MeasuredRequest | null = null;

  constructor(shell: BenchRequestsShell) {
    this.#shell = shell;
  }

  get requests(): OpenRequest[] {
    return this.#open === null ? [] : [this.#open.asOpen];
  }

  get answered(): string[] {
    return this.#open?.isAnswered ? [this.#open.asOpen.request_id] : [];
  }

  get progress(): MeasuredRequest["progress"][] {
    return this.#open === null ? [] : [this.#open.progress];
  }

  /** Sends a prompt and reads the whole answer. An abort of the signal stops Ollama. */
  async generate(model: string, prompt: BenchPrompt, signal: AbortSignal): Promise<Generation> {
    const { energy, spool, now, onOver } = this.#shell;
    signal.throwIfAborted();
    const id = newRequestId(this.#shell.wallClock());
    // Without a spool nobody else measures.
    if (spool === null) energy.begin(id, now(), model);
    const generation = await this.#send(id, model, prompt, signal);
    if (spool === null) energy.end(id, now());
    onOver(ENDPOINT);
    return generation.ok ? { ...generation, energy: await this.#energyOf(id, signal) } : generation;
  }

  #send(id: string, model: string, prompt: BenchPrompt, signal: AbortSignal): Promise<Generation> {
    const { now, wallClock } = this.#shell;
    const startMs = now();
    const open = openOf(model, wallClock());
    const meter = meterOf({ ...open, hideUsage: false, keepText: false, startMs });
    const request = new MeasuredRequest(
      id,
      open,
      { atMs: startMs, tunnelMs: null, source: "bench" },
      this.#shell,
    );
    this.#open = request;
    return new Promise<Generation>((resolve) => {
      let httpStatus = 200;
      const finish = (generation: Generation) => {
        signal.removeEventListener("abort", leave);
        this.#open = null;
        resolve(generation);
      };
      const leave = () => {
        request.cancel(null);
        finish({ ok: false, message: "the request was stopped" });
      };
      const fail = (message: string) => {
        request.fail("ollama", message, BAD_GATEWAY);
        finish({ ok: false, message });
      };
      const handler: AnswerHandler = {
        onRefused: (refusal) => {
          const message = refusalText(refusal);
          request.fail("gateway", message, BAD_GATEWAY);
          finish({ ok: false, message });
        },
        onHead: (status, headers) => {
          httpStatus = status;
          const type = headers.find(([name]) => name === "content-type")?.[1] ?? null;
          meter.head(status, type, now());
        },
        onData: (chunk) => void meter.data(chunk, now()),
        onEnd: () => {
          meter.end(now());
          request.complete();
          const measured = meter.measured();
          if (measured.error !== null) finish({ ok: false, message: measured.error });
          else if (httpStatus >= 400)
            finish({ ok: false, message: `Ollama answered HTTP ${httpStatus}` });
          else finish({ ok: true, measured, energy: null });
        },
        onError: fail,
      };
      signal.addEventListener("abort", leave, { once: true });
      request.send(jsonBytes({ model, stream: true, raw: true, ...prompt }), handler);
    });
  }

  async #energyOf(id: string, signal: AbortSignal): Promise<RequestEnergy | null> {
    const { energy, now } = this.#shell;
    const lastMs = now() + ENERGY_WAIT_MS;
    while (!energy.isSettled(id) && now() < lastMs && !signal.aborted) await delay(POLL_MS);
    return energy.energyOf(id);
  }
}

const openOf = (model: string, nowMs: number): Open => ({
  method: "POST",
  path: ENDPOINT,
  headers: [["content-type", "application/json"]],
  endpoint: ENDPOINT,
  api: "ollama",
  model,
  stream: true,
  started_at: new Date(nowMs).toISOString(),
  edge_ms: null,
  // Random words are not worth keeping.
  keep_text: false,
  key_id: null,
  client_ip: null,
  user_agent: "ollama-edge-agent bench",
});
