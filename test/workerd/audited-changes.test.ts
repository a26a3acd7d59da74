/** A change and its entry in the audit log are one transaction: where one cannot be written, the other is not. */
import { runInDurableObject } from "cloudflare:test";
import { expect, test } from "vitest";
import { KeyPolicy } from "../../protocol/api/keys.ts";
import { NewTarget } from "../../protocol/api/notifications.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { Tariff } from "../../protocol/tariff.ts";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { helloOf } from "../support/records.ts";
import { freshAggregator } from "./fresh-aggregator.ts";

const KEY = "0123456789abcdef";
const policy = (name: string) => KeyPolicy.parse({ name, scopes: ["infer"] });
const target = NewTarget.parse({ kind: "webhook", url: "https://alerts.example.com/hook" });
const tariff = Tariff.parse({
  currency: "EUR",
  default: { prices: [{ from: 0, to: 24, price_per_kwh: 0.3 }] },
});

type Change = {
  /** The table that it writes, and the part of the object that shows it. */
  table: string;
  shown: (aggregator: Aggregator) => unknown;
  make: (aggregator: Aggregator, call: string) => Promise<unknown>;
  /** A change before it. */
  before?: (aggregator: Aggregator) => unknown;
};

const keys = (aggregator: Aggregator) =>
  aggregator
    .usedKeys()
    .keys.map(({ id, policy: { name }, revoked_at_ms }) => [id, name, revoked_at_ms === null]);
const makeKey = (aggregator: Aggregator, call?: string) =>
  aggregator.changeKeys({ act: "make", newId: KEY, policy: policy("Ada") }, call);
const pin = { box: "atlas", model: "llama3.2", context: null, hours: null, time_zone: null };
const pins = (aggregator: Aggregator) => aggregator.boxes().boxes.map((box) => box.pins);
const withPins = (aggregator: Aggregator) =>
  aggregator.connected(helloOf("atlas", { keeps_pins: true }));
const setPin = (aggregator: Aggregator, call?: string) =>
  aggregator.changePins({ act: "put", ...pin } as never, call);
const codes = async (aggregator: Aggregator) => {
  const changed = await aggregator.changeJoining({ act: "list" });
  return changed.refusal === null ? changed.codes : null;
};
const makeCode = (aggregator: Aggregator, call?: string) =>
  aggregator.changeJoining(
    { act: "make", id: KEY, name: null, expiresMs: Date.now() + 600_000 },
    call,
  );

const CHANGES: Record<string, Change> = {
  "makes a key": { table: "issued_keys", shown: keys, make: makeKey },
  "limits a key": {
    table: "issued_keys",
    shown: keys,
    before: makeKey,
    make: (aggregator, call) =>
      aggregator.changeKeys({ act: "change", id: KEY, change: { name: "Eve" } }, call),
  },
  "revokes a key": {
    table: "issued_keys",
    shown: keys,
    before: makeKey,
    make: (aggregator, call) => aggregator.changeKeys({ act: "revoke", id: KEY }, call),
  },
  "sets a tariff": {
    table: "tariffs",
    shown: (aggregator) => aggregator.tariff(),
    make: (aggregator, call) => aggregator.putTariff(tariff, [], call),
  },
  "changes settings": {
    table: "run_time_settings",
    shown: (aggregator) => aggregator.settings(),
    make: (aggregator, call) => aggregator.patchSettings({ enable_instrumentation: false }, call),
  },
  "sets a pin": { table: "pins", shown: pins, before: withPins, make: setPin },
  "removes a pin": {
    table: "pins",
    shown: pins,
    before: async (aggregator) => {
      withPins(aggregator);
      await setPin(aggregator);
    },
    make: (aggregator, call) =>
      aggregator.changePins({ act: "remove", box: "atlas", model: "llama3.2" }, call),
  },
  "adds a target": {
    table: "notification_targets",
    shown: (aggregator) => aggregator.targets({ act: "list" }),
    make: (aggregator, call) => aggregator.targets({ act: "add", target }, call),
  },
  "makes a join code": { table: "join_codes", shown: codes, make: makeCode },
  "lets a box join": {
    table: "joined_boxes",
    shown: codes,
    before: makeCode,
    make: (aggregator, call) =>
      aggregator.changeJoining(
        { act: "join", codeId: KEY, newId: "1", box: "basil", isSecretBox: false },
        call,
      ),
  },
  "forgets a box": {
    table: "boxes",
    shown: (aggregator) => aggregator.boxNames(),
    make: (aggregator, call) => aggregator.forgetBox("atlas", call),
  },
  "clears the metrics": {
    table: "energy_hours",
    shown: (aggregator) => aggregator.metricsClearedMs(),
    make: (aggregator, call) => aggregator.clear("metrics", call),
  },
};

const change = () => ({
  action: "key_made" as const,
  ...{ target: null, detail: null, via: "key" as const, key_id: "admin", identity: null },
  ...{ client_ip: null, user_agent: null, request_id: newRequestId(Date.now()) },
});
const outcomes = (aggregator: Aggregator) =>
  aggregator.audit({ limit: 9 }).entries.map(({ outcome }) => outcome);

test.each(Object.keys(CHANGES))("a call that %s writes its entry with it", async (name) => {
  const { table, shown, make, before } = CHANGES[name] as Change;
  await runInDurableObject(await freshAggregator(), async (aggregator: Aggregator, { storage }) => {
    await before?.(aggregator);
    const first = await shown(aggregator);
    const noted = change();
    await aggregator.noteAudit({ act: "open", change: noted });
    for (const hidden of [table, "audit"]) {
      storage.sql.exec(`ALTER TABLE ${hidden} RENAME TO hidden`);
      await expect(make(aggregator, noted.request_id)).rejects.toThrow(hidden);
      storage.sql.exec(`ALTER TABLE hidden RENAME TO ${hidden}`);
      expect([await shown(aggregator), outcomes(aggregator)]).toEqual([first, []]);
    }
    await make(aggregator, noted.request_id);
    expect(outcomes(aggregator)).toEqual(["done"]);
    expect(await shown(aggregator)).not.toEqual(first);
  });
});

test("a change that is refused has no entry until its caller knows why", async () => {
  await runInDurableObject(await freshAggregator(), async (aggregator: Aggregator) => {
    const noted = change();
    await aggregator.noteAudit({ act: "open", change: noted });
    const wish = { act: "revoke", id: KEY } as const;
    expect(await aggregator.changeKeys(wish, noted.request_id)).toMatchObject({
      refusal: { reason: "key_not_found" },
    });
    expect(outcomes(aggregator)).toEqual([]);
    const outcome = { outcome: "failed", error: "key_not_found", target: null } as const;
    await aggregator.noteAudit({ act: "close", id: noted.request_id, outcome });
    expect(outcomes(aggregator)).toEqual(["failed"]);
  });
});
