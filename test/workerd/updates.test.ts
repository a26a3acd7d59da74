/** Updates: the edge offers its agent, signed, to boxes that can check it. */
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import type { Boxes } from "../../protocol/api/fleet.ts";
import type { MadeJoinCode } from "../../protocol/api/joining.ts";
import { FrameType, parsePayload } from "../../protocol/frames.ts";
import { endorsementText } from "../../protocol/joining.ts";
import { offerText, UpdateOffer } from "../../protocol/update.ts";
import { hexOf } from "../../worker/hex.ts";
import { authoritiesOf, isSignedBy } from "../../worker/joining/authority.ts";
import { certify } from "../../worker/joining/certificate.ts";
import { VERSION } from "../../worker/version.ts";
import type { Features } from "./fake-agent.ts";
import { Joiner } from "./joiner.ts";
import { ADMIN, bearer, call } from "./keyed-edge.ts";

let boxes = 0;
let name = "";
beforeEach(() => {
  name = `updated-${++boxes}`;
});

const admin = (path: string, method = "GET", body?: object) =>
  call(path, { method, headers: bearer(ADMIN), ...(body && { body: JSON.stringify(body) }) });

const update = () => admin(`/api/boxes/${name}/update`, "POST");

const boxNow = async () => {
  const { boxes: all } = await (await admin(`/api/boxes?box=${name}`)).json<Boxes>();
  return all[0];
};

async function joined(): Promise<Joiner> {
  const joiner = await Joiner.make(name);
  const made = await (await admin("/api/boxes/join", "POST", {})).json<MadeJoinCode>();
  expect((await joiner.join(made.code)).status).toBe(200);
  return joiner;
}

async function servedFile(): Promise<{ sha256: string; bytes: number }> {
  const served = await (await env.ASSETS.fetch("https://assets/agent/agent.mjs")).arrayBuffer();
  const sha256 = hexOf(await crypto.subtle.digest("SHA-256", served));
  return { sha256, bytes: served.byteLength };
}

async function connected(takes_updates?: "yes" | "forbidden" | "not_joined") {
  const joiner = await joined();
  const bootId = crypto.randomUUID();
  const hello: Features = { boot_id: bootId, agent_version: "0.0.1", takes_updates };
  const agent = await joiner.connect(hello);
  await expect.poll(boxNow).toMatchObject({ state: "up" });
  return { agent, bootId };
}

test("an offer is signed for the process of the box and has the digest of the served file", async () => {
  const { agent, bootId } = await connected("yes");
  expect(await boxNow()).toMatchObject({ agent_current: false, takes_updates: "yes" });
  const answer = await update();
  expect(answer.status, await answer.clone().text()).toBe(200);
  const file = { version: VERSION, ...(await servedFile()) };
  expect(await answer.json()).toEqual({
    status: "offered",
    box: name,
    from_version: "0.0.1",
    ...file,
  });
  const { payload } = await agent.next(FrameType.update);
  const { signatures, ...offered } = parsePayload(UpdateOffer, payload);
  expect(offered).toEqual(file);
  const [authority] = await authoritiesOf([ADMIN]);
  const signedFor = (box: string, boot: string, what = file) =>
    isSignedBy(authority?.signingPublic ?? "", offerText(box, boot, what), signatures[0] ?? "");
  expect(await signedFor(name, bootId)).toBe(true);
  expect(await signedFor(name, crypto.randomUUID())).toBe(false);
  expect(await signedFor("other", bootId)).toBe(false);
  expect(await signedFor(name, bootId, { ...file, version: "9.9.9" })).toBe(false);
  agent.socket.close();
});

test("an agent is compared with the served file by the digest in its HELLO, if it has one", async () => {
  const { sha256: served } = await servedFile();
  const builds = [
    [served, true, "same"],
    ["0".repeat(64), false, "other"],
    ["not a digest", true, null],
    [null, true, null],
    [undefined, true, null],
  ] as const;
  for (const [agent_sha256, agent_current, agent_build] of builds) {
    const joiner = await joined();
    const agent = await joiner.connect({ agent_version: VERSION, agent_sha256 });
    await expect.poll(boxNow).toMatchObject({ state: "up", agent_current, agent_build });
    agent.socket.close();
    name = `updated-${++boxes}`;
  }
});

test.each([
  ["forbidden", 409, "update_forbidden"],
  ["not_joined", 409, "update_not_joined"],
  [undefined, 501, "agent_too_old"],
] as const)("an agent that takes updates: %s, is offered none", async (takes, status, code) => {
  const { agent } = await connected(takes);
  const answer = await update();
  expect([answer.status, (await answer.json<{ error: { code: string } }>()).error.code]).toEqual([
    status,
    code,
  ]);
  agent.socket.close();
});

test("only an administrator updates, and only a box that is known and up", async () => {
  expect((await call(`/api/boxes/${name}/update`, { method: "POST" })).status).toBe(401);
  expect((await update()).status).toBe(404);
  const { agent } = await connected("yes");
  agent.socket.close();
  await expect.poll(async () => (await update()).status).toBe(503);
});

test("a new signing key comes with the signature of the older one", async () => {
  const [newest, older] = await authoritiesOf(["the-new-pepper-of-the-edge", ADMIN]);
  if (newest === undefined || older === undefined) throw new Error("no authority");
  const member = { box: name, id: "0".repeat(16), publicKey: "0".repeat(64), joinedMs: 1 };
  const { signing_key, endorsed } = await certify(newest, member, Date.now(), [older]);
  expect(signing_key).toBe(newest.signingPublic);
  const [endorsement] = endorsed ?? [];
  expect(endorsement?.key).toBe(older.signingPublic);
  const text = endorsementText(signing_key);
  expect(await isSignedBy(older.signingPublic, text, endorsement?.signature ?? "")).toBe(true);
});
