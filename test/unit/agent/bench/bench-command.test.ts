/** `ollama-edge-agent bench` against a simulated Ollama. */
import { beforeAll, expect, test, vi } from "vitest";
import { benchCommand } from "../../../../agent/bench-command.ts";
import { ConfigError } from "../../../../agent/errors.ts";
import { SIMULATED_SMI } from "../../../../local/edge.ts";
import { BenchRun } from "../../../../protocol/bench.ts";
import { startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { buildOnce } from "../../../support/built.ts";
import { fakeSmi } from "../../../support/fake-nvidia-smi.ts";
import { NOBODY } from "../../../support/stack.ts";

beforeAll(buildOnce);

const QUICK = ["--contexts", "64", "--repeats", "1", "--output-tokens", "16"];

type Run = { code: number; printed: string; notes: string[] };

async function bench(
  args: string[],
  environment: Record<string, string>,
  stop = new AbortController(),
  onNote: (text: string) => void = () => {},
): Promise<Run> {
  const [printed, notes]: [string[], string[]] = [[], []];
  const settings = { BOX_NAME: "atlas", NVIDIA_SMI: "/nonexistent/nvidia-smi", ...environment };
  const code = await benchCommand(args, settings, stop.signal, {
    print: (text) => printed.push(text),
    note: (text) => {
      notes.push(text);
      onNote(text);
    },
  });
  return { code, printed: printed.join("\n"), notes };
}

async function withOllama(models: string[], run: (url: string) => Promise<void>): Promise<void> {
  const ollama = await startSimulatedOllama({ models, loadMsPerGb: 0, tokenMs: 2 });
  try {
    await run(ollama.url);
  } finally {
    await ollama.close();
  }
}

test("measures the only model, without an edge, and prints a table", () =>
  withOllama(["m"], async (OLLAMA_HOST) => {
    const { code, printed, notes } = await bench(QUICK, { OLLAMA_HOST });
    expect(code).toBe(0);
    expect(printed).toContain("m:latest on atlas");
    expect(printed).toMatch(/^ +64 +\d/m);
    expect(notes).toEqual(["1/3 load", "2/3 prompt of 64 tokens", "3/3 prompt of 64 tokens"]);
  }));

test("prints the result as JSON, with the energy of its own meter and the mark of a simulated box", () =>
  withOllama(["m"], async (url) => {
    vi.stubEnv("SIMULATED_OLLAMA", url);
    vi.stubEnv("SIMULATED_GPU", "h100");
    try {
      const args = ["--json", "--model", "m", "--contexts", "64", "--repeats", "2"];
      const measure = async () => {
        const { printed } = await bench([...args, "--output-tokens", "512"], {
          OLLAMA_HOST: url,
          SIMULATED: "1",
          NVIDIA_SMI: SIMULATED_SMI,
        });
        return BenchRun.omit({ id: true }).parse(JSON.parse(printed));
      };
      let run = await measure();
      // A busy machine may delay the readings: then the energy is unknown.
      while (run.points[0]?.wh_per_1k_tokens === null) run = await measure();
      expect(run).toMatchObject({ box: "atlas", simulated: true, model: "m" });
      expect(run.gpus).toEqual([expect.stringContaining("H100")]);
      expect(run.driver_version).not.toBeNull();
      // At least the idle power of the card, for 1.1 s of 512 tokens.
      expect(run.points[0]?.wh_per_1k_tokens?.median).toBeGreaterThan(0.02);
      expect(run.points[0]?.wh_per_1k_tokens?.median).toBeLessThan(2);
    } finally {
      vi.unstubAllEnvs();
    }
  }));

test("waits for idle GPUs before it begins, and gives up", () =>
  withOllama(["m"], async (OLLAMA_HOST) => {
    const busy = fakeSmi([
      {
        rows: [
          {
            index: "0",
            uuid: "GPU-1",
            name: "NVIDIA L40S",
            driver_version: "595.80",
            "utilization.gpu": "87",
            "power.draw": "100.00",
          },
        ],
        everyMs: 200,
      },
    ]).command;
    const { code, notes } = await bench([...QUICK, "--wait", "0"], {
      OLLAMA_HOST,
      NVIDIA_SMI: busy,
    });
    expect(code).toBe(1);
    expect(notes).toEqual([expect.stringContaining("not idle for 0 s: GPU 0 is at 87 %")]);
  }));

test.each([
  {
    what: "a model that Ollama does not have",
    args: ["--model", "nobody"],
    reason: /^Ollama does not have nobody\. Ollama has: m:latest\.$/,
  },
  { what: "a cloud model", args: ["--model", "m:cloud"], reason: /m:cloud/ },
])("fails with 1 for $what", ({ args, reason }) =>
  withOllama(["m"], async (OLLAMA_HOST) => {
    const { code, notes, printed } = await bench([...QUICK, ...args], { OLLAMA_HOST });
    expect({ code, printed }).toEqual({ code: 1, printed: "" });
    expect(notes.at(-1)).toMatch(reason);
  }),
);

test("fails with 1 if Ollama is down", async () => {
  const { code, notes } = await bench(["--model", "m"], { OLLAMA_HOST: NOBODY });
  expect(code).toBe(1);
  expect(notes).toEqual([expect.stringContaining("Ollama does not answer: nothing is listening")]);
});

test("is cancelled in the middle of a request", () =>
  withOllama(["m"], async (OLLAMA_HOST) => {
    const stop = new AbortController();
    const args = ["--model", "m", "--output-tokens", "2048"];
    const { code, notes } = await bench(
      args,
      { OLLAMA_HOST },
      stop,
      (note) => note.startsWith("3/") && stop.abort(new Error("The bench was cancelled.")),
    );
    expect({ code, last: notes.at(-1) }).toEqual({ code: 1, last: "The bench was cancelled." });
  }));

test.each([
  { args: ["--model", "m", "--repeats", "0"], message: "repeats: Too small" },
  { args: ["--model", "m", "--contexts", "some"], message: "contexts.0" },
  { args: ["--what"], message: "Unknown option" },
  { args: [], message: "Name the model with --model. Ollama has: a:latest, b:latest." },
])("refuses the arguments $args", ({ args, message }) =>
  withOllama(["a", "b"], async (OLLAMA_HOST) => {
    const refused = bench(args, { OLLAMA_HOST });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(message);
  }),
);
