/** The way of a browser to an issuer and back, against an issuer on a real HTTP server. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type Begun, CodeFlow } from "../../../worker/identity/code-flow.ts";
import { Issuer, newSigner, type Signer } from "../../support/issuer.ts";

const EDGE = "https://edge.example/sign-in/return";
const NOW = Date.parse("2027-01-01T00:00:00Z");

let issuer: Issuer;
let signer: Signer;
let flow: CodeFlow;

beforeAll(async () => {
  signer = await newSigner("first");
  issuer = await Issuer.start(signer);
});
afterAll(() => issuer[Symbol.asyncDispose]());
beforeEach(() => {
  issuer.isDown = false;
  issuer.requested.length = 0;
  issuer.client = { id: "edge", secret: null, signer, claims: { email: "ada@example.com" } };
  flow = new CodeFlow(issuer.url);
});

const clientOf = (secret: string | null = null) => ({
  client: { id: "edge", secret, scopes: "openid email" },
  redirectUrl: EDGE,
});

async function begin(): Promise<{ url: URL; begun: Begun }> {
  const begun = await flow.begin(clientOf(), NOW);
  if (begun === null) throw new Error("the issuer is silent");
  return { ...begun, url: new URL(begun.url) };
}

/** Goes to the issuer as a browser does. Returns what it brings back. */
async function returned(url: URL): Promise<Record<string, string>> {
  const answer = await fetch(url, { redirect: "manual" });
  return Object.fromEntries(new URL(answer.headers.get("location") ?? "").searchParams);
}

test.each([null, "a secret: with %&+ signs"])(
  "a browser brings back a code, which gives a token (secret %s)",
  async (secret) => {
    issuer.client = { id: "edge", secret, signer, claims: { email: "ada@example.com" } };
    const { url, begun } = await begin();
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      response_type: "code",
      scope: "openid email",
      redirect_uri: EDGE,
      code_challenge_method: "S256",
    });
    expect(url.href).not.toContain(begun.verifier);
    const back = await returned(url);
    expect(await flow.finish(clientOf(secret), back, begun, NOW)).toEqual({
      token: expect.stringMatching(/^eyJ/),
    });
    // A code works once.
    expect(await flow.finish(clientOf(secret), back, begun, NOW)).toMatchObject({
      failure: { reason: "sign_in_refused" },
    });
  },
);

test("each sign-in has secrets of its own", async () => {
  const [first, second] = [(await begin()).begun, (await begin()).begun];
  expect(new Set([...Object.values(first), ...Object.values(second)]).size).toBe(6);
  expect(issuer.requested.filter((path) => path.includes("configuration"))).toHaveLength(1);
});

type Mutation = [
  name: string,
  change: (back: Record<string, string>, begun: Begun) => [Record<string, string>, Begun | null],
  reason: string,
];
const MUTATIONS: Mutation[] = [
  ["a browser that began nothing", (back) => [back, null], "sign_in_expired"],
  ["another state", (back, begun) => [{ ...back, state: "x" }, begun], "sign_in_expired"],
  ["no state", ({ state: _, ...back }, begun) => [back, begun], "sign_in_expired"],
  [
    "another issuer",
    (back, begun) => [{ ...back, iss: "https://evil.example" }, begun],
    "sign_in_refused",
  ],
  [
    "a refusal",
    ({ code: _, ...back }, begun) => [{ ...back, error: "access_denied" }, begun],
    "sign_in_refused",
  ],
  ["no code", ({ code: _, ...back }, begun) => [back, begun], "sign_in_refused"],
  ["an invented code", (back, begun) => [{ ...back, code: "x" }, begun], "sign_in_refused"],
  ["another verifier", (back, begun) => [back, { ...begun, verifier: "x" }], "sign_in_refused"],
  ["another nonce", (back, begun) => [back, { ...begun, nonce: "x" }], "sign_in_refused"],
];

test.each(MUTATIONS)("refuses %s", async (_, change, reason) => {
  const { url, begun } = await begin();
  const [back, kept] = change(await returned(url), begun);
  expect(await flow.finish(clientOf(), back, kept, NOW)).toMatchObject({ failure: { reason } });
});

test("refuses a token for another client, and a wrong secret", async () => {
  const { url, begun } = await begin();
  const back = await returned(url);
  issuer.client = { id: "edge", secret: null, signer, claims: { aud: "another" } };
  const refusal = { failure: { reason: "sign_in_refused" } };
  expect(await flow.finish(clientOf(), back, begun, NOW)).toMatchObject(refusal);
  issuer.client = { id: "edge", secret: "right", signer, claims: {} };
  const again = await begin();
  const code = await returned(again.url);
  expect(await flow.finish(clientOf("wrong"), code, again.begun, NOW)).toMatchObject(refusal);
});

test("a silent issuer gets a request once in a while, and not for each browser", async () => {
  issuer.isDown = true;
  for (let n = 0; n < 50; n++) expect(await flow.begin(clientOf(), NOW)).toBeNull();
  expect(issuer.requested).toHaveLength(1);
  issuer.isDown = false;
  expect(await flow.begin(clientOf(), NOW + 5_000)).not.toBeNull();
  // An hour later its configuration is read again; without an answer, the known one serves.
  issuer.isDown = true;
  expect(await flow.begin(clientOf(), NOW + 2 * 3_600_000)).not.toBeNull();
  expect(issuer.requested).toHaveLength(3);
});
