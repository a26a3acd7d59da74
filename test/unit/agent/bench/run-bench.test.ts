/** The steps of a bench, with a box that exists only in this file. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { BenchPrompt, Generation } from "../../../../agent/bench/bench-requests.ts";
import { BenchError, type BenchShell, runBench } from "../../../../agent/bench/run-bench.ts";
import { type BenchProgress, BenchRequest, BenchResult } from "../../../../protocol/bench.ts";
import type { Inventory } from "../../../../protocol/inventory.ts";

/** Tokens of each word of this model. */
const TOKENS_PER_WORD = 2;

class FakeBox implements BenchShell {
  readonly box = "atlas";
  readonly sent: BenchPrompt[] = [];
  busy: string | null = null;
  contextLength: number | null = 4_096;
  loaded = false;
  expiresAt = "2026-01-01T00:05:00Z";
  /** Runs while a request is with Ollama. */
  during: (request: number, signal: AbortSignal) => Promise<void> = async () => {};
  failure: string | null = null;
  #random = 1;
  #nowMs = 0;

  busyWith = () => this.busy;

  inventory = async (): Promise<Inventory> => ({
    at: "2026-01-01T00:00:00.000Z",
    reachable: true,
    error: null,
    ollama_version: "0.24.0",
    models: [
      {
        name: "m:latest",
        size_bytes: 10,
        digest: "sha256:1",
        family: "llama",
        parameter_size: "3B",
        quantization: "Q4_K_M",
        modified_at: null,
      },
    ],
    loaded: this.loaded
      ? [
          {
            name: "m:latest",
            size_bytes: 10,
            size_vram_bytes: 5,
            context_length: this.contextLength,
            expires_at: this.expiresAt,
          },
        ]
      : [],
  });

  generate = async (
    _model: string,
    prompt: BenchPrompt,
    signal: AbortSignal,
  ): Promise<Generation> => {
    this.sent.push(prompt);
    await this.during(this.sent.length, signal);
    if (signal.aborted) return { ok: false, message: "the request was stopped" };
    if (this.failure !== null) return { ok: false, message: this.failure };
    const wasLoaded = this.loaded;
    this.loaded = prompt.keep_alive !== 0;
    const tokens = prompt.options?.num_predict ?? 0;
    return {
      ok: true,
      measured: {
        response: null,
        prompt_tokens: TOKENS_PER_WORD * prompt.prompt.split(" ").length,
        completion_tokens: tokens,
        ttft_ms: 10,
        queue_ms: 0,
        load_ms: wasLoaded ? 1 : 500,
        prefill_ms: 5,
        decode_ms: 10 * tokens,
        done_reason: "length",
        error: null,
      },
      energy: null,
    };
  };

  gpus = () => ({ gpus: ["NVIDIA H100"], driver_version: "580.1" });
  now = () => this.#nowMs;
  wallClock = () => Date.parse("2026-01-01T00:00:00Z");
  sleep = async (ms: number, signal: AbortSignal) => {
    signal.throwIfAborted();
    this.#nowMs += ms;
    await turn();
  };
  random = () => {
    this.#random = (this.#random * 16_807) % 2_147_483_647;
    return this.#random / 2_147_483_647;
  };
}

const run = (
  box: FakeBox,
  request: Partial<BenchRequest> = {},
  report: (progress: BenchProgress) => void = () => {},
  signal = new AbortController().signal,
) =>
  runBench(
    BenchRequest.parse({ model: "m", contexts: [64], repeats: 2, ...request }),
    box,
    signal,
    report,
  );

test("loads and warms up the model, then repeats prompts of the wanted length that are all new", async () => {
  const box = new FakeBox();
  const progress: BenchProgress[] = [];
  const result = await run(box, {}, (step) => progress.push(step));
  expect(BenchResult.parse(result)).toEqual(result);
  expect(result).toMatchObject({
    model: "m",
    load_ms: 500,
    context_length: 4_096,
    gpu_share: 0.5,
    quantization: "Q4_K_M",
    digest: "sha256:1",
    ollama_version: "0.24.0",
    driver_version: "580.1",
    gpus: ["NVIDIA H100"],
    skipped: [],
    discarded: 0,
  });
  const [point] = result.points;
  expect(point).toMatchObject({
    context: 64,
    repeats: 2,
    prompt_tokens: { median: 64, min: 64, max: 64 },
    tokens_per_second: { median: 100, min: 100, max: 100 },
    wh_per_1k_tokens: null,
  });
  // One that loads, one that warms up, two that count.
  expect(box.sent.map(({ options }) => options?.num_predict)).toEqual([16, 16, 128, 128]);
  expect(new Set(box.sent.map(({ prompt }) => prompt)).size).toBe(4);
  expect(progress.map((step) => step.state === "running" && `${step.done}/${step.of}`)).toEqual([
    "0/4",
    "1/4",
    "2/4",
    "3/4",
  ]);
});

test("reports no load time of a model that was in memory, unless it is to be loaded again", async () => {
  const box = new FakeBox();
  box.loaded = true;
  expect((await run(box)).load_ms).toBeNull();
  expect((await run(box, { reload: true })).load_ms).toBe(500);
});

test("a model that never unloads still does not after it was loaded again", async () => {
  const box = new FakeBox();
  box.loaded = true;
  box.expiresAt = "2318-01-01T00:00:00Z";
  await run(box, { reload: true });
  expect(box.sent.map(({ keep_alive }) => keep_alive)).toEqual([
    0,
    -1,
    undefined,
    undefined,
    undefined,
  ]);
});

test("skips contexts that do not fit the loaded model, and reports them", async () => {
  const box = new FakeBox();
  const { points, skipped } = await run(box, { contexts: [64, 3_072, 4_000, 8_192] });
  expect(points.map(({ context }) => context)).toEqual([64, 3_072]);
  expect(skipped).toEqual([4_000, 8_192]);
});

test("assumes the smallest default of an Ollama that does not report the context of a model", async () => {
  const box = new FakeBox();
  box.contextLength = null;
  const { points, skipped, context_length } = await run(box, { contexts: [64, 3_072] });
  expect(points.map(({ context }) => context)).toEqual([64]);
  expect({ skipped, context_length }).toEqual({ skipped: [3_072], context_length: null });
});

test("fails if no context fits", async () => {
  const box = new FakeBox();
  await expect(run(box, { contexts: [8_192] })).rejects.toThrow(
    "None of the contexts 8192 fits: m is loaded with a context of 4096 tokens.",
  );
});

test("fails with Ollama's own reason", async () => {
  const box = new FakeBox();
  box.failure = "model requires more system memory (81.2 GiB) than is available (7.1 GiB)";
  await expect(run(box)).rejects.toThrow(`Ollama: ${box.failure}`);
});

test("stops a request at once when somebody else uses the box, and repeats it once the box is idle", async () => {
  const box = new FakeBox();
  const progress: BenchProgress[] = [];
  box.during = async (request, signal) => {
    if (request !== 3) return;
    box.busy = "1 other request is open";
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  const result = await run(box, {}, (step) => {
    progress.push(step);
    if (step.state === "waiting") box.busy = null;
  });
  expect(result.discarded).toBe(1);
  expect(result.points[0]?.repeats).toBe(2);
  expect(result.waited_ms).toBeGreaterThan(0);
  expect(box.sent).toHaveLength(5);
  expect(progress).toContainEqual(
    expect.objectContaining({ state: "waiting", for: "1 other request is open" }),
  );
});

test("gives up a box that is not idle for long enough, and states why", async () => {
  const box = new FakeBox();
  box.busy = "2 other requests are open";
  await expect(run(box, { wait_s: 0 })).rejects.toThrow(
    "Box atlas was not idle for 0 s: 2 other requests are open. Try again later, or wait longer with wait_s.",
  );
  expect(box.sent).toEqual([]);
});

test("the waits of all requests share one limit", async () => {
  const box = new FakeBox();
  // Somebody comes in each request, and leaves after 300 ms.
  let leavesMs = 0;
  box.busyWith = () => (box.now() < leavesMs ? "1 other request is open" : null);
  box.during = async (_request, signal) => {
    leavesMs = box.now() + 300;
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  };
  await expect(run(box, { wait_s: 1 })).rejects.toThrow("Box atlas was not idle for 1 s");
  expect(box.sent.length).toBe(4);
});

test.each(["while it waits", "during a request"])("ends when it is cancelled %s", async (when) => {
  const box = new FakeBox();
  const stop = new AbortController();
  if (when === "while it waits") box.busy = "1 other request is open";
  else
    box.during = async () => {
      stop.abort(new BenchError("cancelled"));
    };
  const running = run(
    box,
    {},
    ({ state }) => state === "waiting" && stop.abort(new BenchError("cancelled")),
    stop.signal,
  );
  await expect(running).rejects.toThrow("cancelled");
  expect(box.sent.length).toBeLessThan(2);
});
