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

test("uses the defaults that the options document", () => {
  expect({ ...new NetworkConfig({ edgeUrl }) }).toMatchObject({
    host: "127.0.0.1",
    port: 11_434,
    enableInstrumentation: true,
    exporterType: "none",
    metricsExportInterval: 5,
    served: { ollamaUrl: new URL("http://127.0.0.1:11434") },
  });
});

test("takes settings from the environment, and prefers an option", () => {
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

test("needs no edge without instrumentation", () => {
  const { agent, served } = new NetworkConfig({
    enableInstrumentation: false,
    ollamaUrl: "http://gpu.lan:11434",
    box: "home",
  });
  expect(agent).toBeNull();
  expect(served).toEqual({
    box: "home",
    ollamaUrl: new URL("http://gpu.lan:11434"),
    allowsServerTools: false,
  });
});

const REFUSED: [options: object, message: string][] = [
  [
    {},
    "edgeUrl (or EDGE_URL) is not set. Set it to the URL of your Worker, or set enableInstrumentation to false.",
  ],
  [{ edgeUrl: "edge" }, "edgeUrl (or EDGE_URL) must be an http or https URL without credentials"],
  [{ edgeUrl: "" }, "edgeUrl must not be empty."],
  [{ edgeUrl, port: 65_536 }, "port must be a whole number from 0 to 65535; got 65536."],
  [{ edgeUrl, port: 1.5 }, "port must be a whole number from 0 to 65535; got 1.5."],
  [{ edgeUrl, port: "11434" }, 'port must be a whole number from 0 to 65535; got "11434".'],
  [
    { edgeUrl, host: "http://x" },
    'host must be a host name or an address (IPv6 without brackets); got "http://x".',
  ],
  [
    { edgeUrl, exporterType: "prometheus" },
    'exporterType must be "none", "clickhouse", "postgres" or "both"; got "prometheus".',
  ],
  [
    { edgeUrl, metricsExportInterval: 0 },
    "metricsExportInterval must be a number of seconds above 0, at most 86400; got 0.",
  ],
  [
    { edgeUrl, metricsExportInterval: Number.NaN },
    "metricsExportInterval must be a number of seconds above 0, at most 86400; got NaN.",
  ],
  [
    { edgeUrl, enableInstrumentation: "no" },
    'enableInstrumentation must be true or false; got "no".',
  ],
  [{ edgeUrl, exporter_type: "none" }, "Unknown option: exporter_type."],
  [{ edgeUrl, box: "a b" }, "box (or BOX_NAME) must be 1 to 63 letters"],
  [
    { enableInstrumentation: false, ollamaUrl: "ftp://x" },
    'ollamaUrl (or OLLAMA_HOST) must be the address of an Ollama, e.g. http://127.0.0.1:11434; got "ftp://x".',
  ],
];

test.each(REFUSED)("rejects %j with a message that names the option", (options, message) => {
  const make = () => new NetworkConfig(options as NetworkConfigOptions);
  expect(make).toThrow(ConfigError);
  expect(make).toThrow(message);
});

test("shows a rejected value that JSON cannot represent", () => {
  const make = () => new NetworkConfig({ edgeUrl, port: 1n } as never);
  expect(make).toThrow(new ConfigError("port must be a whole number from 0 to 65535; got 1."));
});

test("never shows credentials in a message", () => {
  expect(() => new NetworkConfig({ edgeUrl: "https://user:hunter2@edge.example" })).toThrow(
    /^(?!.*hunter2).*$/s,
  );
});
