/** The policy of a key: models by pattern, boxes by name, until it ends. */
import { describe, expect, test } from "vitest";
import { KeyPolicy } from "../../../../protocol/api/keys.ts";
import {
  changed,
  flawOf,
  newIssuedKey,
  revoked,
  rotated,
  warningsAbout,
} from "../../../../worker/keys/changes.ts";
import { keyEndOf, stateOf } from "../../../../worker/keys/ends.ts";
import { keyRefusal, matches } from "../../../../worker/keys/policy.ts";

const NOW = Date.parse("2026-11-27T12:00:00Z");
const policy = (more: object = {}) => KeyPolicy.parse({ name: "Ada", scopes: ["infer"], ...more });
const key = (more: object = {}) => newIssuedKey("0123456789abcdef", policy(more), NOW);

test.each([
  ["llama3.2", "llama3.2", true],
  ["llama3.2", "llama3.2:latest", true],
  ["llama3.2", "llama3.2:1b", false],
  ["llama3.2:*", "llama3.2", true],
  ["llama3.2:*", "llama3.2:1b", true],
  ["llama3.2*", "llama3.2-vision:11b", true],
  ["*", "hf.co/user/model:Q4_K_M", true],
  ["hf.co/*:q4_k_m", "hf.co/user/model:Q4_K_M", true],
  ["hf.co/*", "evil/hf.co/x", false],
  ["a*a", "a:latest", false],
  ["*3*:8b", "qwen3:8b", true],
  ["*3*:8b", "qwen3:8b-q4", false],
])("pattern %s covers the model %s: %s", (pattern, model, covered) => {
  expect(matches(pattern, model)).toBe(covered);
});

describe("a call with a key", () => {
  test("passes without a model or box, and with those that the key may use", () => {
    const limited = policy({ models: ["qwen3:*"], boxes: ["atlas"] });
    expect(keyRefusal(limited, [], null)).toBe(null);
    expect(keyRefusal(limited, ["qwen3:8b", "qwen3:4b"], "atlas")).toBe(null);
    expect(keyRefusal(policy(), ["anything"], "basil")).toBe(null);
  });

  test("is refused with another model or box, which is named", () => {
    const limited = policy({ models: ["qwen3:*"], boxes: ["atlas"] });
    expect(keyRefusal(limited, ["qwen3:8b", "llama3.2"], null)).toEqual({
      reason: "model_forbidden",
      model: "llama3.2",
    });
    expect(keyRefusal(limited, ["qwen3:8b"], "basil")).toEqual({
      reason: "box_forbidden",
      box: "basil",
    });
  });
});

test("a key ends when it expires, is revoked, or its overlap is over", () => {
  const expiring = key({ expires_at: new Date(NOW + 1_000).toISOString() });
  expect(stateOf(expiring, NOW + 999)).toBe("valid");
  expect(stateOf(expiring, NOW + 1_000)).toBe("expired");
  expect(stateOf(revoked(key(), NOW), NOW)).toBe("revoked");
  const { old, next } = rotated(key({ models: ["a"] }), "fedcba9876543210", 60_000, NOW);
  expect(stateOf(old, NOW + 59_999)).toBe("valid");
  expect(stateOf(old, NOW + 60_000)).toBe("replaced");
  expect(old.replaced_by).toBe(next.id);
  expect(next.policy).toEqual(old.policy);
  expect(stateOf(revoked(old, NOW + 1), NOW + 1)).toBe("revoked");
});

test("a replaced key names its successor, unless it expires within the overlap", () => {
  const endOf = (more: object) => keyEndOf(rotated(key(more), "fedcba9876543210", 60_000, NOW).old);
  const replaced = { state: "replaced", replaced_by: "fedcba9876543210" };
  expect(endOf({})).toEqual({ ends_at_ms: NOW + 60_000, ...replaced });
  expect(endOf({ expires_at: new Date(NOW + 500).toISOString() })).toEqual({
    ends_at_ms: NOW + 500,
    state: "expired",
  });
});

test("a key that expired and was then revoked counts as revoked, from when it ended", () => {
  const expired = key({ expires_at: new Date(NOW + 500).toISOString() });
  const end = { ends_at_ms: NOW + 500, state: "revoked" };
  expect(keyEndOf(revoked(expired, NOW + 900))).toEqual(end);
});

test("a change keeps what it does not name", () => {
  const before = key({ models: ["a"], boxes: ["atlas"] });
  expect(changed(before, { models: null }).policy).toEqual({ ...before.policy, models: null });
});

test("a policy that cannot work is refused, and one that may be a mistake is reported", () => {
  const past = { boxes: null, expires_at: "2026-11-27T11:00:00Z" };
  expect(flawOf(past, [], NOW)).toBe("expires_at: 2026-11-27T11:00:00Z is in the past.");
  expect(flawOf({ boxes: ["atlas", "bsail"], expires_at: null }, ["atlas", "basil"], NOW)).toBe(
    "boxes: there is no box named bsail.",
  );
});

test("a warning about models that no box of a key has names those that its boxes have", () => {
  const known = [
    { box: "atlas", models: ["qwen3:8b", "llama3.2:latest"] },
    { box: "basil", models: ["qwen3:8b", "mistral:7b"] },
  ];
  expect(warningsAbout(policy({ models: ["qwen3:*", "lama3"] }), known)).toEqual([
    'The pattern "lama3" matches none of the models on the boxes now: ' +
      "llama3.2:latest, mistral:7b, qwen3:8b.",
  ]);
  expect(warningsAbout(policy({ models: ["llama3.2"], boxes: ["basil"] }), known)).toEqual([
    'The pattern "llama3.2" matches none of the models on the boxes of this key now: ' +
      "mistral:7b, qwen3:8b.",
  ]);
  expect(warningsAbout(policy({ models: ["a"] }), [])).toEqual([
    'The pattern "a" matches nothing now: the boxes have no models.',
  ]);
  const models = Array.from({ length: 23 }, (_, n) => `m${n}`);
  const [long] = warningsAbout(policy({ models: ["a"] }), [{ box: "atlas", models }]);
  expect(long).toMatch(/, m[0-9] and 3 more\.$/);
});
