/** Tokens of an identity provider: what is believed, and how often its keys are fetched. */
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import {
  FETCHED_EVERY_MS,
  IssuerKeys,
  KNOWN_MS,
  TRUSTED_MS,
} from "../../../worker/identity/issuer-keys.ts";
import { matcherOf, type RolePeople } from "../../../worker/identity/people.ts";
import type { IdentitySettings } from "../../../worker/identity/settings.ts";
import { isPersonToken, personOf } from "../../../worker/identity/token.ts";
import { Issuer, newSigner, type Signer, signed, unsigned } from "../../support/issuer.ts";

const AUDIENCE = "edge-client";
const PEOPLE: RolePeople = {
  owner: [],
  operator: [matcherOf("group:gpu-team")].flatMap((matcher) => matcher ?? []),
  member: [],
};

let issuer: Issuer;
let signer: Signer;
let other: Signer;
let elliptic: Signer;
let nowMs = Date.now();
let settings: IdentitySettings;
let keys: IssuerKeys;
const clock = () => nowMs;

beforeAll(async () => {
  [signer, other, elliptic] = await Promise.all([
    newSigner("first"),
    newSigner("second"),
    newSigner("elliptic", "ES256"),
  ]);
  issuer = await Issuer.start(signer, elliptic);
  settings = {
    issuer: issuer.url,
    audiences: [AUDIENCE, "another"],
    keysUrl: null,
    groupsClaim: "groups",
    people: PEOPLE,
    client: null,
  };
});
afterAll(() => issuer[Symbol.asyncDispose]());

beforeEach(() => {
  nowMs = Date.now();
  issuer.requested.length = 0;
  issuer.isDown = false;
  issuer.keys = [signer.jwk, elliptic.jwk];
  keys = new IssuerKeys(settings);
});

const seconds = (after: number) => Math.floor(nowMs / 1_000) + after;
const claimsOf = (more: object = {}) => ({
  iss: issuer.url,
  aud: AUDIENCE,
  sub: "user-1",
  email: "Ada@Example.com",
  iat: seconds(0),
  exp: seconds(3_600),
  ...more,
});

const check = (token: string) => personOf(token, settings, keys, clock);
const outcomeOf = async (token: string) => {
  const checked = await check(token);
  if ("person" in checked) return checked.person.name;
  return checked.failure.reason === "token_refused" ? checked.failure.flaw : checked.failure.reason;
};

/** Replaces a part of a token: 0 is the header, 1 the claims, 2 the signature. */
function changed(token: string, part: 0 | 1 | 2, change: (text: string) => string): string {
  const parts = token.split(".");
  const text = Buffer.from(parts[part] ?? "", "base64url").toString("latin1");
  parts[part] = Buffer.from(change(text), "latin1").toString("base64url");
  return parts.join(".");
}

type Mutation = [name: string, token: () => string | Promise<string>, outcome: RegExp];
const MUTATIONS: Mutation[] = [
  ["a valid token", () => signed(signer, claimsOf()), /^ada@example.com$/],
  ["an elliptic key", () => signed(elliptic, claimsOf()), /^ada@example.com$/],
  ["one of several audiences", () => signed(signer, claimsOf({ aud: ["x", AUDIENCE] })), /^ada@/],
  ["alg none", () => unsigned({ alg: "none", kid: "first" }, claimsOf()), /algorithm/],
  ["alg NONE", () => unsigned({ alg: "NONE", kid: "first" }, claimsOf()), /algorithm/],
  ["no alg", () => unsigned({ kid: "first" }, claimsOf(), "AA"), /algorithm/],
  [
    "HS256 with the public key as its secret",
    () => {
      const token = unsigned({ alg: "HS256", kid: "first" }, claimsOf());
      const mac = createHmac("sha256", JSON.stringify(signer.jwk)).update(token.slice(0, -1));
      return token + mac.digest("base64url");
    },
    /algorithm/,
  ],
  [
    "RS256 under the name of an elliptic key",
    () => signed(signer, claimsOf(), { kid: "elliptic" }),
    /unknown|form/,
  ],
  [
    "another key under a known name",
    () => signed({ ...other, kid: "first" }, claimsOf()),
    /signature/,
  ],
  ["a key that nobody published", () => signed(other, claimsOf()), /kid/],
  ["no kid", () => signed(signer, claimsOf(), { kid: undefined }), /kid/],
  ["a kid that is no text", () => unsigned({ alg: "RS256", kid: 7 }, claimsOf(), "AA"), /kid/],
  [
    "a key of its own",
    () => signed(other, claimsOf(), { kid: "first", jwk: other.jwk }),
    /signature/,
  ],
  [
    "an extension that must be understood",
    () => unsigned({ alg: "RS256", kid: "first", crit: ["b64"], b64: false }, claimsOf(), "AA"),
    /crit/,
  ],
  ["another issuer", () => signed(signer, claimsOf({ iss: "https://evil.example" })), /iss/],
  ["no issuer", () => signed(signer, claimsOf({ iss: undefined })), /iss/],
  ["the issuer with a slash", () => signed(signer, claimsOf({ iss: `${issuer.url}/` })), /iss/],
  ["another audience", () => signed(signer, claimsOf({ aud: "somebody" })), /aud/],
  ["no audience", () => signed(signer, claimsOf({ aud: undefined })), /aud/],
  ["a token that has expired", () => signed(signer, claimsOf({ exp: seconds(-61) })), /expired/],
  [
    "one that expired within the skew",
    () => signed(signer, claimsOf({ exp: seconds(-30) })),
    /^ada@/,
  ],
  ["no expiry", () => signed(signer, claimsOf({ exp: undefined })), /no expiry/],
  [
    "an expiry that is a text",
    () => unsigned({ alg: "RS256", kid: "first" }, claimsOf({ exp: "9" }), "AA"),
    /no expiry/,
  ],
  ["one that is not valid yet", () => signed(signer, claimsOf({ nbf: seconds(120) })), /nbf/],
  ["one that is valid in a moment", () => signed(signer, claimsOf({ nbf: seconds(30) })), /^ada@/],
  [
    "one that was issued in the future",
    () => signed(signer, claimsOf({ iat: seconds(120) })),
    /future/,
  ],
  [
    "another email in signed claims",
    async () => changed(await signed(signer, claimsOf()), 1, (text) => text.replace("Ada", "Eve")),
    /signature/,
  ],
  [
    "a changed signature",
    async () => changed(await signed(signer, claimsOf()), 2, (text) => `${text.slice(0, -1)}\0`),
    /signature|form/,
  ],
  ["half a token", async () => (await signed(signer, claimsOf())).slice(0, 200), /form|signature/],
  [
    "a token of 100 KB",
    () => signed(signer, claimsOf({ padding: "x".repeat(100_000) })),
    /too long/,
  ],
  ["no text at all", () => "eyJ..", /form|algorithm/],
  [
    "claims that are no object",
    () => unsigned({ alg: "RS256", kid: "first" }, [1], "AA"),
    /iss|form/,
  ],
  [
    "an email that nobody verified",
    () => signed(signer, claimsOf({ email_verified: false })),
    /^sub-[0-9a-f]{32}$/,
  ],
  ["an email without a domain", () => signed(signer, claimsOf({ email: "ada" })), /^sub-/],
  ["nobody", () => signed(signer, claimsOf({ email: undefined, sub: undefined })), /no person/],
];

test.each(MUTATIONS)("a token with %s", async (_name, token, outcome) => {
  expect(await outcomeOf(await token())).toMatch(outcome);
});

test("keeps the groups that a role mentions, as names or as objects", async () => {
  const groupsIn = async (groups: unknown) => {
    const checked = await check(await signed(signer, claimsOf({ groups })));
    return "person" in checked ? checked.person.groups : checked.failure;
  };
  expect(await groupsIn(["staff", "gpu-team"])).toEqual(["gpu-team"]);
  expect(await groupsIn([{ id: "7", name: "gpu-team" }])).toEqual(["gpu-team"]);
  expect(await groupsIn("gpu-team")).toEqual(["gpu-team"]);
  expect(await groupsIn({ "gpu-team": true })).toEqual([]);
  expect(await groupsIn(undefined)).toEqual([]);
});

test("learns a key that the issuer begins to use, and forgets one that it withdraws", async () => {
  const [old, next] = [await signed(signer, claimsOf()), await signed(other, claimsOf())];
  expect(await outcomeOf(old)).toBe("ada@example.com");
  issuer.keys = [other.jwk];
  expect(await outcomeOf(next)).toMatch(/kid/);
  nowMs += FETCHED_EVERY_MS;
  expect(await outcomeOf(next)).toBe("ada@example.com");
  expect(await outcomeOf(old)).toMatch(/kid/);
});

test("fetches the keys a bounded number of times, whatever tokens come", async () => {
  const flood = [
    ...Array.from({ length: 200 }, (_, n) => signed(other, claimsOf(), { kid: `kid-${n}` })),
    signed(signer, claimsOf()),
  ];
  const outcomes = await Promise.all((await Promise.all(flood)).map(outcomeOf));
  expect(outcomes.filter((outcome) => /kid/.test(outcome))).toHaveLength(200);
  expect(outcomes.at(-1)).toBe("ada@example.com");
  expect(issuer.fetches).toBe(1);
  // Tokens that cannot be valid fetch nothing at all.
  keys = new IssuerKeys(settings);
  issuer.requested.length = 0;
  for (const claims of [{ iss: "https://evil.example" }, { aud: "x" }, { exp: seconds(-90) }])
    await outcomeOf(await signed(other, claimsOf(claims)));
  expect(issuer.requested).toEqual([]);
});

test("goes on with the keys it knows while the issuer does not answer, for a day", async () => {
  const longLived = () => signed(signer, claimsOf({ exp: seconds(TRUSTED_MS) }));
  issuer.isDown = true;
  expect(await outcomeOf(await longLived())).toBe("issuer_silent");
  nowMs += FETCHED_EVERY_MS;
  issuer.isDown = false;
  const token = await longLived();
  expect(await outcomeOf(token)).toBe("ada@example.com");
  issuer.isDown = true;
  nowMs += KNOWN_MS;
  expect(await outcomeOf(token)).toBe("ada@example.com");
  nowMs += TRUSTED_MS;
  expect(await outcomeOf(token)).toBe("issuer_silent");
});

test("does not believe the configuration of another issuer", async () => {
  keys = new IssuerKeys({ issuer: `${issuer.url}/`, keysUrl: null });
  expect(await keys.for("first", clock)).toBeNull();
});

test("distinguishes tokens from keys", async () => {
  expect(isPersonToken(await signed(signer, claimsOf()))).toBe(true);
  for (const text of ["", "admin-key-0123456789", `oes_${"0".repeat(20)}_${"0".repeat(64)}`])
    expect(isPersonToken(text), text).toBe(false);
});
