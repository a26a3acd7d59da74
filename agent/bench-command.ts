/**
 * `ollama-edge-agent bench`: measures a model on this machine, with or without an edge, and also while
 * the agent is running.
 *
 * It calls Ollama itself and has its own meter, so the agent's records and totals know nothing of it.
 * It cannot see the agent's callers either: it waits for idle GPUs once, before it begins.
 */
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type BenchProgress, BenchRequest } from "../protocol/bench.ts";
import type { Inventory } from "../protocol/inventory.ts";
import { BenchRequests } from "./bench/bench-requests.ts";
import { benchShellOf } from "./bench/box-bench.ts";
import { reportOf } from "./bench/report.ts";
import { BenchError, installedIn, runBench } from "./bench/run-bench.ts";
import { CloudGuard } from "./cloud/cloud-guard.ts";
import { type BenchConfig, benchConfigOf } from "./config.ts";
import { ConfigError } from "./errors.ts";
import { EnergyMeter } from "./measure/energy.ts";
import type { GpuSource } from "./readings/gpu-source.ts";
import { InventoryPoller } from "./readings/inventory.ts";
import { pickGpuSource } from "./readings/pick-gpu-source.ts";
import { Placements } from "./readings/placement.ts";
import { OllamaClient } from "./request/ollama.ts";
import { turnsOf } from "./request/turn.ts";

export type BenchIo = {
  /** The result. */
  print(text: string): void;
  /** Progress, and reasons. */
  note(text: string): void;
};

const TICK_MS = 1_000;
/** Time until nvidia-smi has answered, or failed. */
const GPU_MS = 12_000;
const POLL_MS = 100;
/** A GPU above this works for somebody. */
const IDLE_PERCENT_MAX = 10;
const NAMES_MAX = 20;

/**
 * Runs the command.
 * @returns the exit code: 0, or 1 if there is no result
 * @throws {ConfigError} for arguments or variables that are not valid
 */
export async function benchCommand(
  args: readonly string[],
  environment: Record<string, string | undefined>,
  signal: AbortSignal,
  io: BenchIo,
): Promise<number> {
  const { isJson, options } = optionsOf(args);
  const config = benchConfigOf(environment);
  const box = new OwnBox(config);
  try {
    await box.start();
    const inventory = await box.inventory();
    const request = requestOf({ ...options, model: options.model ?? onlyModel(inventory) });
    if (installedIn(inventory, request.model) === null)
      throw new BenchError(`Ollama does not have ${request.model}. ${namesOf(inventory)}`);
    const result = await runBench(request, box.shell, signal, (step) => {
      box.isBegun ||= step.state === "running";
      io.note(progressOf(step));
    });
    const { simulated } = config;
    const answer = { ...result, box: config.box, simulated };
    if (isJson) io.print(JSON.stringify(answer, null, 2));
    else
      io.print(
        `${simulated ? "Simulated: this box runs no model.\n" : ""}${reportOf(result, config.box)}`,
      );
    return 0;
  } catch (error) {
    if (!(error instanceof BenchError) && !signal.aborted) throw error;
    io.note((error as Error).message);
    return 1;
  } finally {
    await box.stop();
  }
}

/** Ollama and the GPUs of this machine, measured beside the agent. */
class OwnBox {
  readonly #poller: InventoryPoller;
  readonly #gpu: GpuSource;
  readonly #ollama: OllamaClient;
  readonly #energy = new EnergyMeter();
  readonly #ticker: NodeJS.Timeout;
  readonly shell: ReturnType<typeof benchShellOf>;
  /** From then on the GPUs work for the bench. */
  isBegun = false;

  constructor(config: BenchConfig) {
    const { box, ollamaUrl } = config;
    const now = () => performance.now();
    const log = () => {};
    const energy = this.#energy;
    this.#gpu = pickGpuSource(config, {
      box,
      intervalSeconds: 1,
      onPower: ({ gpuIndex, watts, atMs, kind }) => energy.read(gpuIndex, watts, atMs, kind),
      now: Date.now,
      log,
    });
    const placements = new Placements(this.#gpu);
    energy.onBusy = (isBusy) => this.#gpu.needPower(isBusy);
    energy.gpusOf = placements.gpusOf;
    this.#poller = new InventoryPoller({
      base: ollamaUrl,
      log,
      onChange: ({ loaded }) => void placements.update(loaded),
    });
    this.#ollama = new OllamaClient(ollamaUrl);
    this.#ticker = setInterval(() => energy.tick(now()), TICK_MS);
    const measured = {
      box,
      ollama: this.#ollama,
      guard: new CloudGuard({ ...config, now }).decide,
      spool: null,
      energy,
      ...turnsOf(null),
      now,
      wallClock: Date.now,
      forbidsText: () => true,
      onOver: () => {},
      inventory: this.#poller,
      gpu: this.#gpu,
    };
    this.shell = benchShellOf(measured, new BenchRequests(measured), () =>
      this.isBegun ? null : busyGpus(this.#gpu),
    );
  }

  /** Starts reading the GPUs, and waits for their first reading. */
  async start(): Promise<void> {
    this.#gpu.start();
    const lastMs = performance.now() + GPU_MS;
    let state = this.#gpu.take();
    while (!state.available && state.error === null && performance.now() < lastMs) {
      await delay(POLL_MS);
      state = this.#gpu.take();
    }
  }

  /** @throws {BenchError} if Ollama does not answer */
  async inventory(): Promise<Inventory> {
    const inventory = await this.shell.inventory();
    if (!inventory.reachable) throw new BenchError(`Ollama does not answer: ${inventory.error}.`);
    return inventory;
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker);
    this.#poller.stop();
    this.#ollama.close();
    await this.#gpu.stop();
  }
}

/** GPUs that do not report their utilization are not waited for. */
function busyGpus(gpu: Pick<GpuSource, "latest">): string | null {
  const busy = gpu
    .latest()
    .find(({ utilization_percent }) => (utilization_percent ?? 0) > IDLE_PERCENT_MAX);
  return busy === undefined ? null : `GPU ${busy.index} is at ${busy.utilization_percent} %`;
}

type Options = Partial<Record<keyof BenchRequest, unknown>> & { model?: string | undefined };

/** @throws {ConfigError} */
function optionsOf(args: readonly string[]): { isJson: boolean; options: Options } {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        model: { type: "string" },
        json: { type: "boolean" },
        contexts: { type: "string" },
        "output-tokens": { type: "string" },
        repeats: { type: "string" },
        reload: { type: "boolean" },
        wait: { type: "string" },
      },
    });
    const given = {
      model: values.model,
      contexts: values.contexts?.split(",").map(Number),
      output_tokens: numberOf(values["output-tokens"]),
      repeats: numberOf(values.repeats),
      reload: values.reload,
      wait_s: numberOf(values.wait),
    };
    return { isJson: values.json ?? false, options: given };
  } catch (error) {
    throw new ConfigError(`${(error as Error).message}\nRun ollama-edge-agent --help.`);
  }
}

const numberOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

/** @throws {ConfigError} */
function requestOf(options: Options): BenchRequest {
  const parsed = BenchRequest.safeParse(options);
  if (parsed.success) return parsed.data;
  throw new ConfigError(
    parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("\n"),
  );
}

/** Returns the model to measure if there is no choice. @throws {ConfigError} */
function onlyModel(inventory: Inventory): string {
  for (const models of [inventory.loaded, inventory.models])
    if (models.length === 1 && models[0] !== undefined) return models[0].name;
  throw new ConfigError(`Name the model with --model. ${namesOf(inventory)}`);
}

const namesOf = ({ models }: Inventory): string =>
  models.length === 0
    ? "Ollama has no models."
    : `Ollama has: ${models
        .slice(0, NAMES_MAX)
        .map(({ name }) => name)
        .join(", ")}${models.length > NAMES_MAX ? ", …" : ""}.`;

function progressOf(step: BenchProgress): string {
  if (step.state === "waiting")
    return `Waiting for an idle box: ${step.for} (at most ${Math.ceil(step.left_ms / 1_000)} s more)`;
  const part = step.step === "load" ? "load" : `prompt of ${step.context} tokens`;
  return `${step.done + 1}/${step.of} ${part}`;
}
