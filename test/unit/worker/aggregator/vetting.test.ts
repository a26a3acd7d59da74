import { expect, test } from "vitest";
import type { ReportedRecord } from "../../../../protocol/records.ts";
import { UNROUTED } from "../../../../protocol/route.ts";
import { type BoxTrust, UNSEALED_FOR_MS, vet } from "../../../../worker/aggregator/vetting.ts";
import { newSealKey, sealOf } from "../../../../worker/seal.ts";
import { idOf, recordOf } from "../../../support/records.ts";

const NOW = Date.parse("2026-11-24T12:00:00Z");
const DAY_MS = 24 * 3_600_000;
const KEY = newSealKey();
const TRUST: BoxTrust = {
  box: "atlas",
  keys: [KEY],
  sealedSinceMs: NOW - DAY_MS,
  powerLimitW: 700,
};

const sealed = async (rest: Parameters<typeof recordOf>[1] = {}): Promise<ReportedRecord> => {
  const record = recordOf(NOW - 10_000, { key_id: "caller", ...rest });
  return { ...record, seal: await sealOf(KEY, record, "warm") };
};

/** Vets one record, and returns what became of it. */
async function verdict(record: ReportedRecord, trust: Partial<BoxTrust> = {}) {
  const { accepted, untrusted } = await vet([record], { ...TRUST, ...trust }, NOW);
  return { accepted: accepted[0] ?? null, why: untrusted.map(({ reason }) => reason) };
}

test("takes a record with its seal as it is, without the seal", async () => {
  const { seal: _, ...record } = await sealed();
  expect(await verdict(await sealed())).toEqual({ accepted: record, why: [] });
});

test.each([
  ["another key", { key_id: "admin" }],
  ["another time", { started_at: new Date(NOW - 5_000).toISOString() }],
  ["another model", { model: "gpt-oss" }],
  ["another caller", { client_ip: "203.0.113.9" }],
  ["another request", { request_id: idOf(NOW - 10_000, 7) }],
])("refuses a record that claims %s under its seal", async (_, claim) => {
  expect(await verdict({ ...(await sealed()), ...claim })).toEqual({
    accepted: null,
    why: ["seal"],
  });
});

test("refuses the sealed record of another box, whatever box it claims", async () => {
  for (const box of ["atlas", "basil"])
    expect(await verdict({ ...(await sealed()), box }, { box: "basil" })).toEqual({
      accepted: null,
      why: ["seal"],
    });
});

test("takes the reason from the seal, and drops the route that an agent claims", async () => {
  const claim = { route_reason: "failover", attempts: 9, moved_from: "basil:hung:1ms" } as const;
  const { accepted } = await verdict({ ...(await sealed()), ...claim });
  expect(accepted).toMatchObject({ route_reason: "warm", attempts: 1, moved_from: null });
  const { seal: _, ...local } = await sealed({ source: "listener", ...claim });
  expect((await verdict(local)).accepted).toMatchObject({ ...UNROUTED, source: "listener" });
});

test("takes no agent's word for a request of the edge itself, which would count in no figure", async () => {
  const { accepted } = await verdict({ ...(await sealed()), source: "system" });
  expect(accepted).toMatchObject({ source: "edge", route_reason: "warm" });
});

test("takes a request of a bench, which no edge has sealed, without the key that it claims", async () => {
  const invented = recordOf(NOW - 10_000, { key_id: "admin", source: "bench" });
  expect(await verdict(invented)).toEqual({
    accepted: { ...invented, ...UNROUTED, key_id: null, edge_ms: null, tunnel_ms: null },
    why: [],
  });
});

test("a claimed source does not replace the seal, and no seal is needed for a call to the listener", async () => {
  const invented = recordOf(NOW - 10_000, { key_id: "admin", source: "edge" });
  expect(await verdict(invented)).toEqual({ accepted: null, why: ["no_seal"] });
  expect((await verdict({ ...(await sealed()), source: "listener" })).accepted).toMatchObject({
    source: "edge",
    key_id: "caller",
  });
  expect((await verdict({ ...invented, source: "listener" })).accepted).toEqual({
    ...invented,
    ...UNROUTED,
    source: "listener",
    key_id: null,
    edge_ms: null,
    tunnel_ms: null,
  });
});

test.each([
  ["the year 2099", Date.parse("2099-01-01T00:00:00Z"), ["time"]],
  ["1970", 0, ["time"]],
  ["a clock that is hours ahead", NOW + 5 * 3_600_000, []],
  ["last month", NOW - 30 * DAY_MS, []],
])("judges a call to the listener in %s", async (_, at, why) => {
  expect(
    (
      await verdict(
        recordOf(at, {
          source: "listener",
          latency_ms: 0,
          decode_ms: 0,
          ttft_ms: 0,
          prefill_ms: 0,
        }),
      )
    ).why,
  ).toEqual(why);
});

test.each([
  ["the id", { request_id: idOf(Date.parse("2099-01-01T00:00:00Z")) }],
  ["the time", { started_at: "2099-01-01T00:00:00.000Z" }],
])("an impossible time in %s alone is refused, too", async (_, claim) => {
  expect((await verdict(recordOf(NOW, { source: "listener", ...claim }))).why).toEqual(["time"]);
});

test("refuses a call to the listener with an endpoint that does not exist", async () => {
  for (const claim of [{ endpoint: "/api/invented" }, { api: "anthropic" as const }])
    expect((await verdict(recordOf(NOW, { source: "listener", ...claim }))).why).toEqual([
      "endpoint",
    ]);
});

test("takes records of an agent without seals, but not its word for the caller", async () => {
  const old = recordOf(NOW - 10_000, { key_id: "admin", user_agent: "curl", source: null });
  const { accepted } = await verdict(old, { sealedSinceMs: null });
  expect(accepted).toEqual({
    ...old,
    ...UNROUTED,
    source: "unsealed",
    key_id: null,
    client_ip: null,
    user_agent: null,
  });
});

test("takes what an agent had in its spool when it was updated, for a week", async () => {
  const spooled = recordOf(NOW - 10_000, { source: null });
  const since = (sealedSinceMs: number, atMs = NOW) =>
    vet([spooled], { ...TRUST, sealedSinceMs }, atMs);
  expect((await since(NOW - 5_000)).accepted).toHaveLength(1);
  expect((await since(NOW - 15_000)).accepted).toEqual([]); // the update came before the request
  expect((await since(NOW, NOW + UNSEALED_FOR_MS)).accepted).toHaveLength(1);
  expect((await since(NOW, NOW + UNSEALED_FOR_MS + 1)).accepted).toEqual([]);
});

test("takes records sealed with a key that a wiped edge no longer has like unsealed ones", async () => {
  const record = await sealed();
  expect(
    (await verdict(record, { keys: [newSealKey()], sealedSinceMs: NOW })).accepted,
  ).toMatchObject({ source: "unsealed", key_id: null });
});

test("counts a record without the figures that cannot be true", async () => {
  const record = await sealed({ completion_tokens: 1e15, latency_ms: 1e300 });
  const { accepted, why } = await verdict(record);
  expect(accepted).toMatchObject({ key_id: "caller", completion_tokens: null, latency_ms: 15_000 });
  expect(why).toEqual(["values"]);
});
