import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ConfigError, NetworkConfig, type NetworkConfigOptions } from "../../../../agent/index.ts";

const VARIABLES = ["EDGE_URL", "BOX_NAME", "BOX_SECRET", "OLLAMA_HOST", "STATE_DIR"];
beforeEach(() => {
  for (const variable of VARIABLES) vi.stubEnv(variable, undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

const edgeUrl = "https://edge.example";

test("the defaults are those that the options' descriptions name", () => {
  expect({ ...new NetworkConfig({ edgeUrl }) }).toMatchObject({
    host: "127.0.0.1",
    port: 11_434,
    enableInstrumentation: true,
    exporterType: "none",
    metricsExportInterval: 5,
    served: { ollamaUrl: new URL("http://127.0.0.1:11434") },
  });
});

test("what the agent needs comes from its environment, and an option wins over it", () => {
  vi.stubEnv("EDGE_URL", "https://other.example");
  vi.stubEnv("BOX_NAME", "from-environment");
  vi.stubEnv("BOX_SECRET", "s");
  vi.stubEnv("OLLAMA_HOST", "127.0.0.1:11500");
  const { agent } = new NetworkConfig({ edgeUrl, box: "home" });
  expect(agent).toMatchObject({
    edgeUrl: new URL(edgeUrl),
    box: "home",
    boxSecret: "s",
    ollamaUrl: new URL("http://127.0.0.1:11500"),
  });
});

test("without instrumentation no edge is needed", () => {
  const { agent, served } = new NetworkConfig({
    enableInstrumentation: false,
    ollamaUrl: "http://gpu.lan:11434",
    box: "home",
  });
  expect(agent).toBeNull();
  expect(served).toEqual({ box: "home", ollamaUrl: new URL("http://gpu.lan:11434") });
});

const REFUSED: [options: object, told: string][] = [
  [
    {},
    "edgeUrl (or EDGE_URL) is not set: the URL of your Worker. Without one, set enableInstrumentation to false.",
  ],
  [{ edgeUrl: "edge" }, "edgeUrl (or EDGE_URL) is not an http(s) URL without credentials"],
  [{ edgeUrl: "" }, "edgeUrl is empty"],
  [{ edgeUrl, port: 65_536 }, "port is above 65535"],
  [{ edgeUrl, port: 1.5 }, "port is not a whole number"],
  [{ edgeUrl, port: "11434" }, "port is not a whole number"],
  [{ edgeUrl, host: "http://x" }, "host is not a host name or an address (IPv6 without brackets)"],
  [
    { edgeUrl, exporterType: "prometheus" },
    "exporterType is none of none, clickhouse, postgres, both",
  ],
  [{ edgeUrl, metricsExportInterval: 0 }, "metricsExportInterval is not above 0 seconds"],
  [
    { edgeUrl, metricsExportInterval: Number.NaN },
    "metricsExportInterval is not a number of seconds",
  ],
  [{ edgeUrl, enableInstrumentation: "no" }, "enableInstrumentation is not true or false"],
  [{ edgeUrl, exporter_type: "none" }, "there is no option exporter_type"],
  [{ edgeUrl, box: "a b" }, "box (or BOX_NAME) a box name is"],
  [
    { enableInstrumentation: false, ollamaUrl: "ftp://x" },
    "ollamaUrl (or OLLAMA_HOST) is not an address of an Ollama",
  ],
];

test.each(REFUSED)("%j is refused in words that name the option", (options, told) => {
  const make = () => new NetworkConfig(options as NetworkConfigOptions);
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(told);
});

test("a secret is never in the message", () => {
  expect(() => new NetworkConfig({ edgeUrl: "https://user:hunter2@edge.example" })).toThrow(
    /^(?!.*hunter2).*$/s,
  );
});
