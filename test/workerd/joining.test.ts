/** Joining: a box makes its own key, proves it at each connect, and can be removed. */

import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import type { Boxes } from "../../protocol/api/fleet.ts";
import type { MadeJoinCode } from "../../protocol/api/joining.ts";
import { CERTIFICATE_MS, RETURN_MS } from "../../protocol/joining.ts";
import { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { Box } from "../../worker/box/box.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { hexOf } from "../../worker/hex.ts";
import { authoritiesOf } from "../../worker/joining/authority.ts";
import { certify } from "../../worker/joining/certificate.ts";
import { codeOf } from "../../worker/joining/code.ts";
import { objectMethods } from "../support/object-methods.ts";
import { onBusyMachine } from "../support/patience.ts";
import { recordOf } from "../support/records.ts";
import { logOf } from "./calls.ts";
import { Joiner } from "./joiner.ts";
import { ADMIN, bearer, call, fetchOn, keys } from "./keyed-edge.ts";

let boxes = 0;
let name = "";
beforeEach(() => {
  name = `joined-${++boxes}`;
});

const admin = (path: string, method = "GET", body?: object) =>
  call(path, { method, headers: bearer(ADMIN), ...(body && { body: JSON.stringify(body) }) });

async function newCode(body: object = {}): Promise<MadeJoinCode> {
  const answer = await admin("/api/boxes/join", "POST", body);
  expect(answer.status, await answer.clone().text()).toBe(200);
  return answer.json<MadeJoinCode>();
}

async function joined(): Promise<Joiner> {
  const joiner = await Joiner.make(name);
  expect((await joiner.join((await newCode()).code)).status).toBe(200);
  return joiner;
}

const codeIn = async (answer: Response): Promise<[number, string]> => {
  const { error } = await answer.json<{ error: { code: string } }>();
  return [answer.status, error.code];
};

const boxNow = async () => {
  const { boxes: all } = await (await admin(`/api/boxes?box=${name}`)).json<Boxes>();
  return all[0];
};

test("a box joins with a code, connects with its certificate, and is listed as joined", async () => {
  const made = await newCode();
  expect(made).toMatchObject({ state: "waiting", name: null, box: null });
  expect(made.command).toBe(
    "curl -fsSLo install.sh https://edge.example/agent/install.sh && " +
      `sudo sh install.sh https://edge.example ${made.code}`,
  );
  const joiner = await Joiner.make(name);
  expect((await joiner.join(made.code)).status).toBe(200);
  const waiting = async () =>
    (await (await admin("/api/boxes")).json<Boxes>()).never_connected.map((each) => each.name);
  expect(await waiting()).toContain(name);
  const agent = await joiner.connect();
  await expect.poll(boxNow).toMatchObject({ state: "up", admission: "certificate" });
  expect(await waiting()).not.toContain(name);
  expect((await boxNow())?.joined_at).not.toBeNull();
  const { codes } = await (await admin("/api/boxes/join")).json<{ codes: object[] }>();
  expect(codes).toContainEqual(expect.objectContaining({ id: made.id, state: "used", box: name }));
  agent.socket.close();
});

test("a code works once, until it expires, and on its own edge", async () => {
  const joiner = await Joiner.make(name);
  const { code } = await newCode();
  expect((await joiner.join(code)).status).toBe(200);
  const other = await Joiner.make(`${name}-2`);
  expect(await codeIn(await other.join(code))).toEqual([401, "join_code_used"]);
  const [authority] = await authoritiesOf([ADMIN]);
  const [foreign] = await authoritiesOf(["the-pepper-of-another-edge"]);
  if (authority === undefined || foreign === undefined) throw new Error("no authority");
  const [past, soon] = [1_000_000_000_000, Math.ceil(Date.now() / 1_000 + 600) * 1_000];
  const expired = await codeOf(authority, "0123456789abcdef", past);
  expect(await codeIn(await other.join(expired))).toEqual([401, "join_code_expired"]);
  const elsewhere = await codeOf(foreign, "0123456789abcdef", soon);
  expect(await codeIn(await other.join(elsewhere))).toEqual([401, "join_code_unknown"]);
  // Right by its MAC, but never made, or forgotten.
  const unmade = await codeOf(authority, "0123456789abcdef", soon);
  expect(await codeIn(await other.join(unmade))).toEqual([401, "join_code_used"]);
});

test("a cancelled code is refused", async () => {
  const { id, code } = await newCode();
  expect(await (await admin(`/api/boxes/join/${id}`, "DELETE")).json()).toMatchObject({
    state: "cancelled",
  });
  expect((await admin(`/api/boxes/join/${id}`, "DELETE")).status).toBe(404);
  const joiner = await Joiner.make(name);
  expect(await codeIn(await joiner.join(code))).toEqual([401, "join_code_used"]);
});

test("a clock that is off by an hour is named, and does not use up the code", async () => {
  const { code } = await newCode();
  const joiner = await Joiner.make(name);
  const late = await joiner.join(code, { nowMs: Date.now() - 3_600_000 });
  expect(late.status).toBe(401);
  expect(await late.text()).toContain("The clock of this box is 60 minutes behind.");
  expect((await joiner.join(code)).status).toBe(200);
  const early = await joiner.dial({ nowMs: Date.now() + 3_600_000 });
  expect(await early.text()).toContain("The clock of this box is 60 minutes ahead.");
});

test("two boxes of one name cannot join, unless the code is for that name", async () => {
  const first = await joined();
  const agent = await first.connect();
  const second = await Joiner.make(name);
  expect(await codeIn(await second.join((await newCode()).code))).toEqual([409, "box_name_taken"]);
  // A box with a secret has its name too.
  const secret = await Joiner.make("home");
  expect(await codeIn(await secret.join((await newCode()).code))).toEqual([409, "box_name_taken"]);
  const { code } = await newCode({ name });
  const other = await Joiner.make(`${name}-2`);
  expect(await codeIn(await other.join(code))).toEqual([409, "box_name_differs"]);
  expect((await second.join(code)).status).toBe(200);
  expect(await agent.untilClosed()).toMatchObject({ code: 4_003 });
  expect(await codeIn(await first.dial())).toEqual([403, "box_removed"]);
  (await second.connect()).socket.close();
});

test("a box proves its key for this edge, this box and this purpose", async () => {
  const joiner = await joined();
  const thief = await Joiner.make(name);
  thief.certificate = joiner.certificate;
  expect(await codeIn(await thief.dial())).toEqual([401, "proof_wrong"]);
  expect(await codeIn(await joiner.dial({ host: "other.example" }))).toEqual([401, "proof_wrong"]);
  expect(await codeIn(await joiner.dial({ purpose: "leave" }))).toEqual([401, "proof_wrong"]);
  const impostor = await Joiner.make(`${name}-2`);
  impostor.certificate = joiner.certificate;
  expect(await codeIn(await impostor.dial())).toEqual([401, "certificate_unknown"]);
});

test("a removed box loses its tunnel at once, cannot return, and may join again", async () => {
  const joiner = await joined();
  const agent = await joiner.connect();
  await expect.poll(boxNow).toMatchObject({ state: "up" });
  const startMs = performance.now();
  expect((await admin(`/api/boxes/${name}/revoke`, "POST")).status).toBe(200);
  expect(await agent.untilClosed()).toMatchObject({ code: 4_003 });
  expect(performance.now() - startMs).toBeLessThan(onBusyMachine(1_000));
  expect(await boxNow()).toMatchObject({ name, state: "down", joined_at: null });
  expect(await codeIn(await joiner.dial())).toEqual([403, "box_removed"]);
  expect((await joiner.join((await newCode()).code)).status).toBe(200);
  (await joiner.connect()).socket.close();
  // A box with a secret has no certificate.
  expect(await codeIn(await admin("/api/boxes/home/revoke", "POST"))).toEqual([
    409,
    "box_not_joined",
  ]);
});

test("a box that is forgotten leaves at once, with its certificate and its pins, and its records stay", async () => {
  const joiner = await joined();
  const agent = await joiner.connect({ keeps_pins: true });
  await expect.poll(boxNow).toMatchObject({ state: "up" });
  const record = recordOf(Date.now(), { box: name });
  await aggregatorOf(env).ingest([record]);
  expect((await admin(`/api/boxes/${name}`, "DELETE")).status).toBe(200);
  await agent.untilClosed();
  expect(await codeIn(await admin(`/api/boxes?box=${name}`))).toEqual([404, "box_not_found"]);
  expect(await codeIn(await joiner.dial())).toEqual([403, "box_removed"]);
  expect(await logOf(record.request_id)).toMatchObject({ box: name });
  expect((await admin(`/api/boxes/${name}`, "DELETE")).status).toBe(404);
});

test("a joined box that is down does not return after it is forgotten", async () => {
  const joiner = await joined();
  const agent = await joiner.connect();
  await expect.poll(boxNow).toMatchObject({ state: "up" });
  agent.socket.close();
  await expect.poll(boxNow).toMatchObject({ state: "down" });
  expect((await admin(`/api/boxes/${name}`, "DELETE")).status).toBe(200);
  expect(await codeIn(await joiner.dial())).toEqual([403, "box_removed"]);
});

test("a certificate that was renewed in the moment of the removal does not admit the box", async () => {
  const joiner = await joined();
  const agent = await joiner.connect();
  const removal = admin(`/api/boxes/${name}/revoke`, "POST");
  const [authority] = await authoritiesOf([ADMIN]);
  if (authority === undefined) throw new Error("no authority");
  const [, id = "", joinedMs = ""] = joiner.certificate.split(".");
  const membership = {
    ...{ box: name, id, joinedMs: Number(joinedMs), publicKey: await joiner.publicKey() },
  };
  const { certificate } = await certify(authority, membership, Date.now());
  expect(await agent.untilClosed()).toMatchObject({ code: 4_003 });
  expect((await removal).status).toBe(200);
  const { certificate: later } = await certify(authority, membership, Date.now());
  for (const renewed of [joiner.certificate, certificate, later])
    expect(await codeIn(await joiner.dial({ certificate: renewed }))).toEqual([403, "box_removed"]);
});

test("a Box refuses a removed box even if the Worker does not know it yet", async () => {
  const joiner = await joined();
  (await joiner.connect()).socket.close(); // this isolate knows the joining now
  const { joined: ended, refusal } = (await aggregatorOf(env).changeJoining({
    ...{ act: "end", box: name, id: null, ended: "revoked" },
  })) as { joined: { joined_at_ms: number } | null; refusal: null };
  expect(refusal).toBeNull();
  await (env.BOX as DurableObjectNamespace<Box>).getByName(name).remove(ended?.joined_at_ms ?? 0);
  expect(await codeIn(await joiner.dial())).toEqual([403, "box_removed"]);
  forgetBoxes();
});

test("a box leaves with its own proof", async () => {
  const joiner = await joined();
  const agent = await joiner.connect();
  const leave = async (purpose: "connect" | "leave") =>
    call(`/agent/leave?box=${name}`, { method: "POST", headers: await joiner.proof({ purpose }) });
  expect((await leave("connect")).status).toBe(401);
  expect((await leave("leave")).status).toBe(200);
  expect(await agent.untilClosed()).toMatchObject({ code: 4_003 });
  expect(await codeIn(await joiner.dial())).toEqual([403, "box_removed"]);
});

test("a box that was away returns within 90 days, and then has to join again", async () => {
  const joiner = await joined();
  const [authority] = await authoritiesOf([ADMIN]);
  if (authority === undefined) throw new Error("no authority");
  const [, id = "", joinedMs = ""] = joiner.certificate.split(".");
  const membership = {
    ...{ box: name, id, joinedMs: Number(joinedMs), publicKey: await joiner.publicKey() },
  };
  const endedAgo = (ms: number) => certify(authority, membership, Date.now() - CERTIFICATE_MS - ms);
  const fresh = await certify(authority, membership, Date.now());
  expect(fresh.certificate.split(".")[1]).toBe(id);
  const { certificate } = await endedAgo(RETURN_MS - 60_000);
  const back = await joiner.dial({ certificate });
  expect(back.status).toBe(101);
  back.webSocket?.accept();
  back.webSocket?.close();
  const gone = await endedAgo(RETURN_MS + 60_000);
  expect(await codeIn(await joiner.dial({ certificate: gone.certificate }))).toEqual([
    401,
    "certificate_ended",
  ]);
});

test("a flood of made-up codes and certificates wakes no object", async () => {
  const joiner = await joined();
  const genuine = joiner.certificate;
  let woken = 0;
  const undo: (() => void)[] = [];
  for (const [prototype, method] of objectMethods([Aggregator, Box])) {
    const original = Reflect.get(prototype, method);
    Reflect.set(prototype, method, function (this: object, ...values: unknown[]) {
      woken++;
      return original.apply(this, values);
    });
    undo.push(() => void Reflect.set(prototype, method, original));
  }
  try {
    for (let n = 0; n < 200; n++) {
      const digit = (n % 10).toString();
      const code = (await newRandomCode()) as string;
      expect([401, 429]).toContain((await joiner.join(code)).status);
      const certificate = genuine.slice(0, -1) + (genuine.endsWith(digit) ? "f" : digit);
      if (certificate !== genuine)
        expect([401, 429]).toContain((await joiner.dial({ certificate })).status);
    }
  } finally {
    for (const each of undo) each();
  }
  expect(woken).toBe(0);
});

/** Returns a code with the name of the edge's pepper and a made-up MAC. */
async function newRandomCode(): Promise<string> {
  const [authority] = await authoritiesOf([ADMIN]);
  const digits = hexOf(crypto.getRandomValues(new Uint8Array(28)).buffer);
  return `oej_${authority?.name}${digits.slice(0, 16)}ffffffff_${digits.slice(16, 48)}`;
}

test("only an administrator makes and lists codes, and the edge needs a pepper for them", async () => {
  for (const path of ["/api/boxes/join", `/api/boxes/${name}/revoke`])
    expect((await call(path, { method: "POST" })).status).toBe(401);
  const open = keys({ AUTH_MODE: "open", ADMIN_KEY: undefined, KEY_PEPPER: undefined });
  const answer = await fetchOn(
    "/api/boxes/join",
    { method: "POST", body: "{}" },
    open,
    "localhost",
  );
  expect(await codeIn(answer)).toEqual([409, "keys_off"]);
});
