import fc from "fast-check";
import { expect, test } from "vitest";
import { fullModelName, isCloudModel } from "../../../protocol/model-name.ts";

const CLOUD = [
  "gpt-oss:120b-cloud",
  "x:cloud",
  "X:CLOUD",
  " y:cloud ",
  "gpt-oss: cloud",
  "gpt-oss:\u00a0cloud",
  "gpt-oss:cloud\u0085",
  "gpt-oss:120b-cloud\u2003",
  "ollama.com/library/gpt-oss:20b-Cloud",
  "x:7b:cloud",
];
test.each(CLOUD)("recognises %j as a cloud model", (model) =>
  expect(isCloudModel(model)).toBe(true),
);

test.each(["llama3.2", "cloud", "my-cloud", "my-cloud:7b", "x:cloudy", "cloud:7b", "x:cloud-q4"])(
  "recognises %j as a local model, and as a valid name",
  (model) => {
    expect(isCloudModel(model)).toBe(false);
    expect(fullModelName(model)).not.toBeNull();
  },
);

const SAME: [name: string, full: string][] = [
  ["llama3.2", "registry.ollama.ai/library/llama3.2:latest"],
  ["LLAMA3.2:Latest", "registry.ollama.ai/library/llama3.2:latest"],
  ["library/llama3.2", "registry.ollama.ai/library/llama3.2:latest"],
  ["registry.ollama.ai/library/llama3.2:latest", "registry.ollama.ai/library/llama3.2:latest"],
  ["https://hf.co/u/m-GGUF:Q4_K_M", "hf.co/u/m-gguf:q4_k_m"],
  ["localhost:5000/a/b", "localhost:5000/a/b:latest"],
  ["llama3.2:1b:local", "registry.ollama.ai/library/llama3.2:1b"],
];
test.each(SAME)("gives %j the full name %j", (name, full) =>
  expect(fullModelName(name)).toBe(full),
);

test.each([
  "",
  " llama3.2",
  "llama3.2 ",
  "gpt-oss:\u00a0x",
  "ｌlama",
  "a/b/c/d",
  "x:",
  ":x",
  "-x",
  "x:.y",
  "x\u0000",
  "x\n",
  "x@sha256",
  "ns.dot/x",
  "x".repeat(81),
])("rejects %j as the name of a model", (name) => expect(fullModelName(name)).toBeNull());

/** The grammar as Ollama writes it: split from the right, then each part by itself. */
function isValidInOllama(text: string): boolean {
  let rest = text.replace(/:local$/i, "");
  let tag: string | null = null;
  if (rest.lastIndexOf(":") > rest.lastIndexOf("/")) {
    tag = rest.slice(rest.lastIndexOf(":") + 1);
    rest = rest.slice(0, rest.lastIndexOf(":"));
  }
  const [scheme] = /^https?:\/\//.exec(rest) ?? [""];
  const parts = rest.slice(scheme.length).split("/");
  const [model = "", namespace, host] = parts.reverse();
  const isPart = (part: string, rule: RegExp, max: number) =>
    part.length <= max && /^[A-Za-z0-9_]/.test(part) && rule.test(part);
  if (parts.length > 3 || (scheme !== "" && parts.length < 3)) return false;
  return (
    isPart(model, /^[A-Za-z0-9_.-]+$/, 80) &&
    (tag === null || isPart(tag, /^[A-Za-z0-9_.-]+$/, 80)) &&
    (namespace === undefined || isPart(namespace, /^[A-Za-z0-9_-]+$/, 80)) &&
    (host === undefined || isPart(host, /^[A-Za-z0-9_.:-]+$/, 350))
  );
}

const piece = fc.oneof(
  fc.constantFrom("cloud", "-cloud", ":cloud", ":local", ":", "/", ".", "-", "_", "http://"),
  fc.constantFrom(" ", "\u00a0", "\u0085", "\u200b", "\ufeff", "ſ", "ｃ", "К", "\u0000", "\t"),
  fc.string({ maxLength: 6 }),
  fc.string({ unit: "binary", maxLength: 3 }),
);
const names = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""));

test("accepts exactly the names of Ollama's grammar", () => {
  fc.assert(
    fc.property(names, (name) => {
      expect(fullModelName(name) !== null).toBe(isValidInOllama(name));
    }),
    { numRuns: 5_000 },
  );
});

test("recognises a cloud tag behind any name, with spaces of any kind around it", () => {
  fc.assert(
    fc.property(names, fc.constantFrom(":cloud", ":x-cloud", ":CLOUD"), (name, tag) => {
      for (const around of ["", " ", "\u0085", "\u00a0"]) {
        const spelled = `${name}${tag.replace(":", `:${around}`)}${around}`;
        expect(isCloudModel(spelled)).toBe(true);
      }
    }),
    { numRuns: 2_000 },
  );
});
