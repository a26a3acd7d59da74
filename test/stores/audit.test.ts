/** The audit log reaches both stores, and stays there when everything else is cleared. */
import { expect, test } from "vitest";
import { AUDIT_FIELDS } from "../../protocol/audit-columns.ts";
import { DAY_MS } from "../../protocol/day.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { both, NAMES, NOW, requests, stores, useFreshStores } from "./delivered.ts";
import { Edge, onFreshStorage } from "./edge.ts";
import { faults, storesIn } from "./fresh-stores.ts";

useFreshStores();

const change = (target: string) => ({
  action: "pin_set" as const,
  target,
  detail: '{"note":"nul\0"}',
  via: "key" as const,
  key_id: "admin",
  identity: null,
  client_ip: "203.0.113.7",
  user_agent: null,
  request_id: newRequestId(NOW),
});
const DONE = { outcome: "done" as const, error: null, target: null };

const targetsIn = async (name: (typeof NAMES)[number]) => {
  const sql = `SELECT target FROM audit_log ${name === "clickhouse" ? "FINAL" : ""} ORDER BY id`;
  return (await stores.ask[name](sql)).map(({ target }) => target);
};

test("entries arrive once, in every column, also if an answer is lost, and survive clearing", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, both(), NOW);
    edge.audit.add(change("atlas"), DONE, 1, NOW);
    edge.add(requests(2));
    edge.audit.add(change("basil"), DONE, 7, NOW);
    const lost = [{ match: "INSERT", times: 1, drop: "after" as const }];
    await Promise.all(NAMES.map((name) => faults(name, lost)));
    await edge.flush();
    await edge.drain();
    edge.clear({ logs: true, metrics: true });
    await edge.deliveries.clear(() => edge.nowMs);
    edge.audit.add(change("clover"), DONE, 1, NOW);
    await edge.drain();
    for (const name of NAMES) {
      expect(await targetsIn(name), name).toEqual(["atlas", "basil", "clover"]);
      const [row] = await stores.ask[name]("SELECT * FROM audit_log WHERE target = 'basil'");
      expect(Object.keys(row ?? {}), name).toEqual(AUDIT_FIELDS);
      expect(row, name).toMatchObject({
        detail: '{"note":"nul\ufffd"}',
        key_id: "admin",
        identity: null,
      });
      expect(Number(row?.times)).toBe(7);
    }
  });
});

test("a store that is configured later gets the entries from before", async () => {
  await onFreshStorage(async (storage) => {
    const alone = new Edge(storage, [], NOW);
    for (const target of ["atlas", "basil"]) alone.audit.add(change(target), DONE, 1, NOW);
    const edge = new Edge(storage, Object.values(storesIn(stores.settings)), NOW);
    await edge.drain();
    for (const name of NAMES) expect(await targetsIn(name), name).toEqual(["atlas", "basil"]);
  });
});

test("entries that a store still lacks outlive their retention", async () => {
  await onFreshStorage(async (storage) => {
    const edge = new Edge(storage, [stores.postgres], NOW - 300 * DAY_MS);
    edge.audit.add(change("atlas"), DONE, 1, edge.nowMs);
    await faults("postgres", [{ times: 1_000, status: 503 }]);
    await edge.flush();
    edge.nowMs += 401 * DAY_MS;
    edge.keepHouse();
    expect(edge.audit.times()).toHaveLength(1);
    await faults("postgres", []);
    await edge.drain();
    expect(await targetsIn("postgres")).toEqual(["atlas"]);
    edge.keepHouse();
    expect(edge.audit.times()).toEqual([]);
    await stores.postgres.deleteOld();
  });
});
