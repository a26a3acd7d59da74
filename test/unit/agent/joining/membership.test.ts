/** The membership of a box: when its certificate is renewed, and whose agents it trusts. */
import { generateKeyPairSync } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Joining } from "../../../../agent/joining/joining.ts";
import { BoxMembership, publicKeyOf, signatureOf } from "../../../../agent/joining/membership.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  jsonBytes,
  tunnelFrame,
} from "../../../../protocol/frames.ts";
import { CERTIFICATE_MS, type Certified, endorsementText } from "../../../../protocol/joining.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

const HOUR_MS = 3_600_000;
const EDGE = new URL("https://edge.example");

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["Date", "setInterval", "clearInterval"] });
});
afterEach(() => {
  vi.useRealTimers();
});

const newKey = () => generateKeyPairSync("ed25519").privateKey;
const edgeKey = newKey();

let certificates = 0;
const certified = (more: Partial<Certified> = {}): Certified => ({
  certificate: `oec_${++certificates}`,
  expires_at_ms: Date.now() + CERTIFICATE_MS,
  lasts_ms: CERTIFICATE_MS,
  signing_key: publicKeyOf(edgeKey),
  ...more,
});

function joinedBox() {
  const folder = temporaryFolder("membership-");
  const key = newKey();
  const membership = BoxMembership.keep(folder, EDGE, key, { box: "atlas", ...certified() });
  const events: string[] = [];
  const sent: Frame[] = [];
  const joining = new Joining(
    { edgeUrl: EDGE, boxSecret: null },
    membership,
    (_level, event) => void events.push(event),
  );
  return {
    folder,
    membership,
    joining,
    events,
    sent,
    send: (frame: Frame) => void sent.push(frame),
  };
}

const certificate = (value: object): Frame => tunnelFrame(FrameType.certificate, value);

test("a certificate is renewed after half of its time, and RENEW is repeated until it is", () => {
  const { folder, joining, membership, sent, send } = joinedBox();
  joining.up(send);
  vi.advanceTimersByTime(CERTIFICATE_MS / 2 - 60_000);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(3 * 60_000);
  expect(sent.length).toBeGreaterThanOrEqual(2);
  expect(sent.every(({ type }) => type === FrameType.renew)).toBe(true);
  const before = sent.length;
  const newer = certified();
  joining.received(certificate(newer));
  vi.advanceTimersByTime(10 * 60_000);
  expect(sent).toHaveLength(before);
  // It is proven with from now on, and after a restart.
  const proofOf = (of: BoxMembership | null) => of?.authorization("connect", EDGE.host, Date.now());
  expect(proofOf(membership)).toContain(` ${newer.certificate} `);
  expect(proofOf(BoxMembership.read(folder))).toContain(` ${newer.certificate} `);
});

test("a renewal that was missed while the tunnel was down is made at its next start", () => {
  const { joining, sent, send } = joinedBox();
  vi.advanceTimersByTime(CERTIFICATE_MS);
  joining.up(send);
  expect(sent.map(({ type }) => type)).toEqual([FrameType.renew]);
});

test.each([
  ["ahead", HOUR_MS],
  ["behind", -HOUR_MS],
])("a clock that is an hour %s of the edge's does not change when it renews", (_, skewMs) => {
  const { joining, sent, send } = joinedBox();
  joining.up(send);
  // The end is by the edge's clock, and ignored: only how long it lasts counts.
  joining.received(certificate(certified({ expires_at_ms: Date.now() - skewMs + CERTIFICATE_MS })));
  vi.advanceTimersByTime(CERTIFICATE_MS / 2 - 60_000);
  expect(sent).toEqual([]);
  vi.advanceTimersByTime(120_000);
  expect(sent.length).toBeGreaterThan(0);
});

test("a clock that jumps forward by an hour renews at most an hour early, and back an hour late", () => {
  const { joining, sent, send } = joinedBox();
  joining.up(send);
  vi.setSystemTime(Date.now() + HOUR_MS);
  vi.advanceTimersByTime(CERTIFICATE_MS / 2 - HOUR_MS - 60_000);
  expect(sent).toEqual([]);
  vi.setSystemTime(Date.now() - 2 * HOUR_MS);
  vi.advanceTimersByTime(2 * HOUR_MS + 120_000);
  expect(sent.length).toBeGreaterThan(0);
  // Long before its end by the edge's clock.
  expect(CERTIFICATE_MS / 2 + HOUR_MS).toBeLessThan(CERTIFICATE_MS);
});

test("a CERTIFICATE of the wrong shape is refused, and the old one stays", () => {
  const { joining, membership } = joinedBox();
  const before = membership.authorization("connect", EDGE.host, 1);
  for (const payload of [{}, { ...certified(), signing_key: "short" }])
    expect(() => joining.received({ ...certificate({}), payload: jsonBytes(payload) })).toThrow(
      FrameError,
    );
  expect(membership.authorization("connect", EDGE.host, 1)).toBe(before);
});

test("a certificate that cannot be written is logged, and the old one goes on working", () => {
  const { folder, joining, events } = joinedBox();
  vi.spyOn(BoxMembership.prototype, "renewed").mockImplementationOnce(() => {
    throw new Error("ENOSPC");
  });
  joining.received(certificate(certified()));
  expect(events).toEqual(["certificate_not_kept"]);
  expect(BoxMembership.read(folder)).not.toBeNull();
});

test("the tunnel alone cannot change the key with which agents are signed", () => {
  const { folder, joining, membership, events } = joinedBox();
  const trusted = membership.signingKey;
  const other = newKey();
  const signing_key = publicKeyOf(other);
  const endorsedBy = (key: typeof other, text = endorsementText(signing_key)) => [
    { key: publicKeyOf(key), signature: signatureOf(key, text) },
  ];
  const forged: Certified["endorsed"][] = [
    undefined,
    [],
    endorsedBy(other),
    endorsedBy(edgeKey, endorsementText("0".repeat(64))),
    [{ key: trusted, signature: signatureOf(other, endorsementText(signing_key)) }],
  ];
  for (const endorsed of forged) {
    joining.received(certificate({ ...certified({ signing_key }), endorsed }));
    expect(BoxMembership.read(folder)?.signingKey).toBe(trusted);
  }
  expect(events.filter((event) => event === "signing_key_not_trusted")).toHaveLength(forged.length);
  joining.received(certificate(certified({ signing_key, endorsed: endorsedBy(edgeKey) })));
  expect(BoxMembership.read(folder)?.signingKey).toBe(signing_key);
});
