import { expect, test } from "vitest";
import { configOf, defaultBoxName, ollamaHost } from "../../../agent/config.ts";
import { ConfigError } from "../../../agent/errors.ts";

const EDGE_URL = "https://edge.example";

test("uses the defaults that the help text documents", () => {
  expect(configOf({ EDGE_URL, BOX_NAME: "home" })).toMatchObject({
    box: "home",
    boxSecret: null,
    ollamaUrl: new URL("http://127.0.0.1:11434/"),
    nvidiaSmi: "nvidia-smi",
    ollamaModels: null,
    ollamaParallel: null,
    simulated: false,
  });
});

// Ollama accepts all of these as OLLAMA_HOST; some are addresses to listen on.
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

test.each(Object.entries(HOSTS))("dials OLLAMA_HOST %s as %s", (text, url) => {
  expect(ollamaHost(text)).toBe(url);
  expect(configOf({ EDGE_URL, OLLAMA_HOST: text }).ollamaUrl.href).toBe(url);
});

const REFUSED: [setting: string, env: Record<string, string>, message: RegExp][] = [
  ["a missing EDGE_URL", {}, /^EDGE_URL is not set/],
  ["an empty EDGE_URL", { EDGE_URL: "" }, /^EDGE_URL is not set/],
  ["an EDGE_URL without a scheme", { EDGE_URL: "edge" }, /^EDGE_URL must be an http.*got "edge"/],
  [
    "an EDGE_URL with credentials",
    { EDGE_URL: "https://user:hunter2@edge" },
    /^EDGE_URL must be .* without credentials/,
  ],
  [
    "an EDGE_URL without TLS on another machine",
    { EDGE_URL: "http://edge.example:8000" },
    /^EDGE_URL must begin with https:\/\/ unless .*got "http:\/\/edge.example:8000"/,
  ],
  ["an EDGE_URL with ws", { EDGE_URL: "ws://edge.example" }, /^EDGE_URL must be an http or https/],
  [
    "an EDGE_URL that only begins like loopback",
    { EDGE_URL: "http://127.evil.example" },
    /^EDGE_URL must begin with https/,
  ],
  [
    "an unknown kind to redact",
    { EDGE_URL, REDACT: "email,names" },
    /^REDACT must be all, or a list.*got "names"/,
  ],
  ["all kinds and another", { EDGE_URL, REDACT: "all,email" }, /^REDACT must be all/],
  [
    "a word of one letter",
    { EDGE_URL, REDACT_WORDS: "Atlas,x" },
    /^REDACT_WORDS must be words of 3 to/,
  ],
  [
    "too many words",
    { EDGE_URL, REDACT_WORDS: "word,".repeat(101) },
    /^REDACT_WORDS must have at most/,
  ],
  [
    "a BOX_NAME with a space",
    { EDGE_URL, BOX_NAME: "my box" },
    /^BOX_NAME must be 1 to 63 letters.*got "my box"/,
  ],
  [
    "an OLLAMA_HOST that is not HTTP",
    { EDGE_URL, OLLAMA_HOST: "ftp://x" },
    /^OLLAMA_HOST must be the address of an Ollama.*got "ftp:\/\/x"/,
  ],
  [
    "an OLLAMA_HOST without a host",
    { EDGE_URL, OLLAMA_HOST: "http:///bad" },
    /^OLLAMA_HOST must be the address of an Ollama.*got "http:\/\/\/bad"/,
  ],
  [
    "an EDGE_URL without a host",
    { EDGE_URL: "https:///edge.example" },
    /^EDGE_URL must be an http.*got "https:\/\/\/edge.example"/,
  ],
  [
    "a SIMULATED that is neither 0 nor 1",
    { EDGE_URL, SIMULATED: "yes" },
    /^SIMULATED must be 0 or 1; got "yes"/,
  ],
];

test.each(["http://127.0.0.1:8000", "http://localhost", "http://[::1]:8000", "http://a.localhost"])(
  "accepts the edge %s on this machine without TLS",
  (edge) => expect(configOf({ EDGE_URL: edge }).edgeUrl.origin).toBe(edge),
);

test.each(REFUSED)(
  "rejects %s with a message that names the variable and never shows credentials",
  (_setting, env, message) => {
    expect(() => configOf(env)).toThrow(ConfigError);
    expect(() => configOf(env)).toThrow(message);
    expect(() => configOf(env)).not.toThrow(/hunter2/);
  },
);

test("turns any host name into a box name", () => {
  expect(defaultBoxName("gpu-1.lan")).toBe("gpu-1.lan");
  expect(defaultBoxName("Jürgens Büro")).toBe("J-rgens-B-ro");
  expect(defaultBoxName("---")).toBe("box");
  expect(defaultBoxName("x".repeat(100))).toHaveLength(63);
});
