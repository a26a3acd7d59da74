/** The reading half of `/api`, after calls by a published client. */
import { Ollama } from "ollama";
import { expect, onTestFinished, test } from "vitest";
import { Gpu } from "../../protocol/api/fleet.ts";
import { History, Models } from "../../protocol/api/stats.ts";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { parseExposition, seriesValue } from "../support/exposition-parser.ts";
import { eventually, TestStack } from "../support/stack.ts";
import { MODEL, messages } from "./requests.ts";

test("the reading half of the API answers in its shapes, and Prometheus can parse the scrape", async () => {
  await using stack = await TestStack.start();
  const simulated = await startSimulatedOllama({ tokenMs: 1, loadMsPerGb: 0 });
  onTestFinished(() => simulated.close());
  await stack.startAgent({ name: "sdk", ollamaUrl: simulated.url });
  const ollama = new Ollama({ host: `${stack.url}/ollama` });
  await ollama.chat({ model: MODEL, messages, options: { num_predict: 12 } });
  await expect(ollama.chat({ model: "nope", messages })).rejects.toThrow("nope");
  await eventually(async () => (await stack.stats()).total_requests === 2);
  const models = Models.parse(await stack.json("/api/models"));
  expect(models.models.find(({ name }) => name === MODEL)).toMatchObject({
    installed_on: ["sdk"],
    tokens_per_second: expect.any(Number),
  });
  // The sources may lag behind each other for a moment.
  const agrees = (read: () => Promise<number | null>) =>
    eventually(async () => (await read()) === (await stack.stats()).total_requests);
  await agrees(async () => {
    const { metrics } = History.parse(
      await stack.json("/api/stats/history?time_range=1h&granularity=1m"),
    );
    expect(metrics).toHaveLength(60);
    return metrics.reduce((sum, { requests }) => sum + requests, 0);
  });
  expect(Gpu.parse(await stack.json("/api/gpu"))).toMatchObject({
    available: false,
    gpus: [],
    errors: [{ box: "sdk" }],
  });
  for (const accept of ["text/plain", "application/openmetrics-text; version=1.0.0"]) {
    await agrees(async () => {
      const scrape = await fetch(`${stack.url}/api/metrics`, { headers: { accept } });
      return seriesValue(
        parseExposition(await scrape.text(), accept !== "text/plain"),
        "ollama_requests_total",
        {},
      );
    });
  }
});
