/** Reads of many logs: others have the Aggregator in between. */
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import type { Aggregator } from "../../worker/aggregator/aggregator.ts";
import { PageLabel } from "../../worker/aggregator/page-label.ts";
import { recordOf } from "../support/records.ts";
import { logsQuery } from "./aggregator-queries.ts";

const NOW = Date.now();
const COUNT = 3_000;

async function filled(): Promise<DurableObjectStub<Aggregator>> {
  const aggregator = env.AGGREGATOR.getByName(`test-${crypto.randomUUID()}`);
  for (let from = 0; from < COUNT; from += 500)
    await aggregator.ingest(
      Array.from({ length: 500 }, (_, n) =>
        recordOf(NOW - 60_000 - (from + n) * 10, {
          prompt: `prompt ${from + n}`,
          status: (from + n) % 1_000 === 7 ? "error" : "success",
        }),
      ),
    );
  return aggregator;
}

test("a search for a rare text leaves the object to others, and finds what comes and goes meanwhile", async () => {
  const aggregator = await filled();
  const events: string[] = [];
  const query = logsQuery({ q: "prompt 2007" });
  const search = aggregator.logs(query).then((page) => {
    events.push("found");
    return page;
  });
  const others = Array.from({ length: 5 }, async () => {
    await aggregator.fleet();
    events.push("answered");
  });
  await Promise.all(others);
  expect((await search).logs).toMatchObject([{ prompt: "prompt 2007" }]);
  expect(events.slice(0, 5)).toEqual(Array(5).fill("answered"));
  const [late, again] = [recordOf(NOW, { prompt: "a prompt 2007" }, 1), recordOf(NOW, {}, 2)];
  await aggregator.ingest([late, again]);
  const { logs, total } = await aggregator.logs(query);
  expect([logs.map(({ prompt }) => prompt), total]).toEqual([["a prompt 2007", "prompt 2007"], 2]);
  await aggregator.clear("logs");
  expect(await aggregator.logs(query)).toMatchObject({ logs: [], total: 0, next_cursor: null });
});

test("a search looks for each record in one page or two, however many there are", async () => {
  const aggregator = await filled();
  await aggregator.logs(logsQuery({ limit: 1 }));
  using looks = vi.spyOn(PageLabel.prototype, "indexOf");
  expect(await aggregator.logs(logsQuery({ q: "prompt 2007" }))).toMatchObject({ total: 1 });
  expect(looks.mock.calls.length).toBeGreaterThanOrEqual(COUNT);
  expect(looks.mock.calls.length).toBeLessThan(2 * COUNT);
});

test("totals and pages of a filter are exact while records arrive during the first read", async () => {
  const aggregator = await filled();
  const read = aggregator.logs(logsQuery({ status: "error", limit: 2 }));
  await aggregator.ingest([recordOf(NOW, { status: "error" }, 1)]);
  const first = await read;
  expect([3, 4]).toContain(first.total);
  const all = await aggregator.logs(logsQuery({ status: "error", limit: 2 }));
  expect(all).toMatchObject({ total: 4, next: 2, next_cursor: all.logs[1]?.id });
  const rest = await aggregator.logs(
    logsQuery({ status: "error", limit: 2, cursor: all.next_cursor ?? "" }),
  );
  expect([...all.logs, ...rest.logs].map(({ prompt }) => prompt)).toEqual([
    "What is machine learning?",
    "prompt 7",
    "prompt 1007",
    "prompt 2007",
  ]);
  expect(rest.next_cursor).toBeNull();
});

test("a search never returns a text that was erased", async () => {
  const aggregator = await filled();
  const query = logsQuery({ q: "prompt 7" });
  expect((await aggregator.logs(query)).total).toBe(111);
  await aggregator.patchSettings({ log_content: "off" });
  await aggregator.erase();
  expect((await aggregator.logs(query)).total).toBe(0);
});
