import { expect, test } from "vitest";
import { configOf, defaultBoxName, ollamaHost } from "../../../agent/config.ts";
import { ConfigError } from "../../../agent/errors.ts";

const EDGE_URL = "https://edge.example";

test("the defaults are those of the help text", () => {
  expect(configOf({ EDGE_URL, BOX_NAME: "home" })).toMatchObject({
    box: "home",
    boxSecret: null,
    ollamaUrl: new URL("http://127.0.0.1:11434/"),
    nvidiaSmi: "nvidia-smi",
    ollamaModels: null,
    simulated: false,
  });
});

// Ollama takes all of these as OLLAMA_HOST; some are addresses to listen on.
const HOSTS: Record<string, string> = {
  "http://127.0.0.1:11434": "http://127.0.0.1:11434/",
  "127.0.0.1:11434": "http://127.0.0.1:11434/",
  "127.0.0.1": "http://127.0.0.1:11434/",
  localhost: "http://localhost:11434/",
  ":1234": "http://127.0.0.1:1234/",
  "0.0.0.0": "http://127.0.0.1:11434/",
  "0.0.0.0:5000": "http://127.0.0.1:5000/",
  "[::]:5000": "http://[::1]:5000/",
  "https://gpu.lan": "https://gpu.lan/",
  "http://gpu.lan:8080/sub": "http://gpu.lan:8080/sub",
};

test.each(Object.entries(HOSTS))("OLLAMA_HOST %s is dialled as %s", (text, url) => {
  expect(ollamaHost(text)).toBe(url);
  expect(configOf({ EDGE_URL, OLLAMA_HOST: text }).ollamaUrl.href).toBe(url);
});

const REFUSED: [what: string, env: Record<string, string>, told: RegExp][] = [
  ["no edge", {}, /^EDGE_URL is not set/],
  ["an empty edge", { EDGE_URL: "" }, /^EDGE_URL is not set/],
  ["an edge that is no URL", { EDGE_URL: "edge" }, /^EDGE_URL is not an http/],
  [
    "an edge with credentials in it",
    { EDGE_URL: "https://user:hunter2@edge" },
    /^EDGE_URL is not .* without credentials/,
  ],
  ["a box name with a blank", { EDGE_URL, BOX_NAME: "my box" }, /^BOX_NAME a box name is/],
  [
    "an Ollama that is no address",
    { EDGE_URL, OLLAMA_HOST: "ftp://x" },
    /^OLLAMA_HOST is not an address/,
  ],
  ["a flag that is none", { EDGE_URL, SIMULATED: "yes" }, /^SIMULATED is 0 or 1/],
];

test.each(REFUSED)(
  "%s is refused by the name of the variable, never by its value",
  (_what, env, told) => {
    expect(() => configOf(env)).toThrow(ConfigError);
    expect(() => configOf(env)).toThrow(told);
    expect(() => configOf(env)).not.toThrow(/hunter2/);
  },
);

test("any host name makes a box name", () => {
  expect(defaultBoxName("gpu-1.lan")).toBe("gpu-1.lan");
  expect(defaultBoxName("Jürgens Büro")).toBe("J-rgens-B-ro");
  expect(defaultBoxName("---")).toBe("box");
  expect(defaultBoxName("x".repeat(100))).toHaveLength(63);
});
