/**
 * The bench as the edge starts it: answers its call like an Ollama, one line for each step. One bench
 * runs at a time.
 */
import { setTimeout as delay } from "node:timers/promises";
import * as z from "zod";
import { BENCH_ROUTE, type BenchLine, BenchRequest } from "../../protocol/bench.ts";
import type { OpenRequest } from "../../protocol/inventory.ts";
import { changesModels, isInference } from "../../protocol/routes.ts";
import type { Log } from "../log.ts";
import type { GpuSource } from "../readings/gpu-source.ts";
import type { InventoryPoller } from "../readings/inventory.ts";
import type { RequestSource } from "../readings/open-requests.ts";
import type { LocalExchange, LocalRequest, OllamaClient } from "../request/ollama.ts";
import { BenchRequests, type BenchRequestsShell } from "./bench-requests.ts";
import { BenchError, type BenchShell, installedIn, runBench } from "./run-bench.ts";

export type BoxBenchShell = BenchRequestsShell & {
  inventory: Pick<InventoryPoller, "refresh" | "latest">;
  gpu: Pick<GpuSource, "latest" | "state">;
  /** Returns the open requests of others. */
  others(): readonly OpenRequest[];
  log: Log;
};

/** Connects a bench to the box that it measures. */
export const benchShellOf = (
  { box, inventory, gpu, now, wallClock }: Omit<BoxBenchShell, "others" | "log">,
  requests: BenchRequests,
  busyWith: () => string | null,
): BenchShell => ({
  box,
  busyWith,
  inventory: () => inventory.refresh().then(() => inventory.latest()),
  generate: (model, prompt, signal) => requests.generate(model, prompt, signal),
  gpus: () => ({
    gpus: gpu.latest().map(({ name }) => name),
    driver_version: gpu.state().driver_version,
  }),
  now,
  wallClock,
  random: Math.random,
  sleep: (ms, signal) => delay(ms, undefined, { signal }),
});

export class BoxBench {
  readonly #shell: BoxBenchShell;
  readonly #requests: BenchRequests;
  #running: { model: string; call: BenchCall } | null = null;

  constructor(shell: BoxBenchShell) {
    this.#shell = shell;
    this.#requests = new BenchRequests(shell);
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** The requests of the bench, for the readings and the spool. */
  get source(): RequestSource & Pick<BenchRequests, "progress"> {
    return this.#requests;
  }

  /** Returns an Ollama that also answers the edge's call for a bench. */
  beside(ollama: Pick<OllamaClient, "send">): Pick<OllamaClient, "send"> {
    return {
      send: (local) => (local.path === BENCH_ROUTE.path ? this.#answer(local) : ollama.send(local)),
    };
  }

  #answer(local: LocalRequest): LocalExchange {
    const call: BenchCall = { local, stop: new AbortController(), isGone: false };
    // No event before this exchange is returned.
    setImmediate(() => void this.#serve(call));
    return {
      write: () => true,
      onDrain: (resume) => resume(),
      end: () => {},
      // The lines of a whole bench are a few kilobytes.
      pause: () => {},
      resume: () => {},
      abort: () => {
        call.isGone = true;
        call.stop.abort();
      },
    };
  }

  /** The agent stops: ends the bench. */
  stop(): void {
    this.#running?.call.stop.abort(new BenchError("The agent of this box is stopping."));
  }

  async #serve(call: BenchCall): Promise<void> {
    const { box } = this.#shell;
    const parsed = BenchRequest.safeParse(jsonOf(call.local.body ?? []));
    if (!parsed.success) return refuse(call, BAD_REQUEST, z.prettifyError(parsed.error));
    if (this.#running !== null)
      return refuse(
        call,
        CONFLICT,
        `Box ${box} is already running a bench of ${this.#running.model}. Wait for it, or cancel it.`,
      );
    this.#running = { model: parsed.data.model, call };
    try {
      await this.#run(parsed.data, call);
    } finally {
      this.#running = null;
    }
  }

  async #run(request: BenchRequest, call: BenchCall): Promise<void> {
    const { box, others, log } = this.#shell;
    const { signal } = call.stop;
    const shell = benchShellOf(this.#shell, this.#requests, () => busyWith(others()));
    const inventory = await shell.inventory();
    if (!inventory.reachable)
      return refuse(call, UNAVAILABLE, `Ollama does not answer on box ${box}: ${inventory.error}`);
    if (installedIn(inventory, request.model) === null)
      return refuse(call, NOT_FOUND, `Box ${box} does not have the model ${request.model}.`);
    const write = (line: BenchLine) => {
      if (!call.isGone) call.local.onData(lineOf(line));
    };
    if (!call.isGone) call.local.onHead(OK, [["content-type", "application/x-ndjson"]]);
    try {
      write({ state: "done", result: await runBench(request, shell, signal, write) });
    } catch (error) {
      if (!(error instanceof BenchError) && !call.isGone) log("error", "bench_failed", { error });
      write({ error: (error as Error).message });
    }
    if (!call.isGone) call.local.onEnd();
  }
}

/** `isGone`: the caller left, and no event may follow. */
type BenchCall = { local: LocalRequest; stop: AbortController; isGone: boolean };

const OK = 200;
const BAD_REQUEST = 400;
const NOT_FOUND = 404;
const CONFLICT = 409;
const UNAVAILABLE = 503;

/** Answers with an error in Ollama's form. */
function refuse({ local, isGone }: BenchCall, status: number, error: string): void {
  if (isGone) return;
  local.onHead(status, [["content-type", "application/json"]]);
  local.onData(lineOf({ error }));
  local.onEnd();
}

const lineOf = (line: BenchLine): Buffer => Buffer.from(`${JSON.stringify(line)}\n`);

function jsonOf(parts: readonly Uint8Array[]): unknown {
  try {
    return JSON.parse(Buffer.concat(parts).toString("utf8"));
  } catch {
    return undefined;
  }
}

/** Calls that only read something do not disturb a bench. */
function busyWith(others: readonly OpenRequest[]): string | null {
  const working = others.filter(
    ({ endpoint }) => isInference(endpoint) || changesModels(endpoint),
  ).length;
  if (working === 0) return null;
  return working === 1 ? "1 other request is open" : `${working} other requests are open`;
}
