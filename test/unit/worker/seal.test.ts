import { expect, test } from "vitest";
import { Seal } from "../../../protocol/records.ts";
import { RouteReason } from "../../../protocol/route.ts";
import { newSealKey, reasonIn, type SealedFacts, sealOf, verdictOn } from "../../../worker/seal.ts";
import { recordOf } from "../../support/records.ts";
import { seeded } from "../../support/seeded.ts";

const KEY = newSealKey();
const FACTS: SealedFacts = recordOf(Date.parse("2026-11-24T12:00:00Z"), {
  key_id: "caller",
  user_agent: 'a "quoted" agent, \ud83d',
});

/** Another value of the same type, for each fact. */
const OTHERS: { [Name in keyof SealedFacts]: SealedFacts[Name] } = {
  request_id: "01890a5d-ac96-774b-bcce-b302099a8057",
  box: "basil",
  started_at: "2026-11-24T12:00:00.001Z",
  edge_ms: 5,
  endpoint: "/api/generate",
  api: "openai",
  model: "llama3.2:latest",
  stream: false,
  key_id: "admin",
  client_ip: null,
  user_agent: 'a "quoted" agent, \ud83e',
};
const NAMES = Object.keys(OTHERS) as (keyof SealedFacts)[];

test("a seal is valid for its facts, also after they travelled as JSON", async () => {
  const seal = await sealOf(KEY, FACTS);
  const travelled = JSON.parse(JSON.stringify({ ...FACTS, seal }));
  expect(await verdictOn(travelled.seal, travelled, [KEY])).toBe("valid");
});

test.each(NAMES)("a seal is not valid once %s is changed", async (name) => {
  const seal = await sealOf(KEY, FACTS);
  expect(await verdictOn(seal, { ...FACTS, [name]: OTHERS[name] }, [KEY])).toBe("forged");
});

test.each(RouteReason.options)("a seal carries the reason %s, signed", async (reason) => {
  const seal = await sealOf(KEY, FACTS, reason);
  expect(Seal.parse(seal)).toBe(seal);
  expect([await verdictOn(seal, FACTS, [KEY]), reasonIn(seal)]).toEqual(["valid", reason]);
});

test.each([
  ["another reason", (seal: string) => seal.replace(".warm", ".spill")],
  ["no reason", (seal: string) => seal.replace(".warm", "")],
  ["an empty reason", (seal: string) => seal.replace(".warm", ".")],
])("a seal with %s is forged", async (_, changed) => {
  expect(await verdictOn(changed(await sealOf(KEY, FACTS, "warm")), FACTS, [KEY])).toBe("forged");
});

test("a seal without a reason is forged once it has one", async () => {
  const seal = await sealOf(KEY, FACTS);
  expect(reasonIn(seal)).toBeNull();
  expect(await verdictOn(`${seal}.warm`, FACTS, [KEY])).toBe("forged");
});

test("a seal does not cover the figures that only the agent knows", async () => {
  const seal = await sealOf(KEY, FACTS);
  const figures = { completion_tokens: 1, latency_ms: 2, response: "other" };
  expect(await verdictOn(seal, { ...FACTS, ...figures } as SealedFacts, [KEY])).toBe("valid");
});

test.each([
  ["no seal", undefined, "unknown"],
  ["an empty seal", "", "unknown"],
  ["a seal of an unknown key", `other.${"A".repeat(43)}`, "unknown"],
  ["a seal without a signature", KEY.id, "forged"],
  ["an empty signature", `${KEY.id}.`, "forged"],
  ["a signature that is too short", `${KEY.id}.AAAA`, "forged"],
  ["a signature in another alphabet", `${KEY.id}.${"+".repeat(43)}`, "forged"],
] as const)("%s is not valid", async (_, seal, verdict) => {
  expect(await verdictOn(seal, FACTS, [KEY])).toBe(verdict);
});

test("a seal of an earlier key is valid as long as the edge has the key", async () => {
  const seal = await sealOf(KEY, FACTS);
  const next = newSealKey();
  expect(await verdictOn(seal, FACTS, [KEY, next])).toBe("valid");
  expect(await verdictOn(seal, FACTS, [next])).toBe("unknown");
});

test("no mutation of a seal, or mix of the facts of two requests, is valid", async () => {
  const seed = 20261124;
  const random = seeded(seed);
  const pick = <Item>(items: ArrayLike<Item>): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const others = { ...OTHERS };
  const [mine, theirs] = [await sealOf(KEY, FACTS), await sealOf(KEY, others)];
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
  for (let round = 0; round < 2_000; round++) {
    const at = Math.floor(random() * mine.length);
    const mutated = pick([
      mine.slice(0, at) + pick(letters) + mine.slice(at + 1),
      mine.slice(0, at) + mine.slice(at + 1),
      mine.slice(0, at) + pick(letters) + mine.slice(at),
    ]);
    const mixed = Object.fromEntries(
      NAMES.map((name) => [name, pick([FACTS[name], others[name]])]),
    ) as SealedFacts;
    const what = `seed ${seed}, round ${round}, ${mutated}`;
    if (!isSameSignature(mutated, mine))
      expect(await verdictOn(mutated, FACTS, [KEY]), what).not.toBe("valid");
    const isWhole = NAMES.every((name) => mixed[name] === FACTS[name]);
    const isOther = NAMES.every((name) => mixed[name] === others[name]);
    if (!isWhole) expect(await verdictOn(mine, mixed, [KEY]), what).toBe("forged");
    if (!isOther) expect(await verdictOn(theirs, mixed, [KEY]), what).toBe("forged");
  }
});

/** The last letter of base64 has two bits that no byte uses. */
const isSameSignature = (a: string, b: string): boolean =>
  Buffer.from(a, "base64url").equals(Buffer.from(b, "base64url")) && a.startsWith(`${KEY.id}.`);
