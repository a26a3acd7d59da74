/** Records of simulated boxes are marked wherever they show. */
import { env, exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Logs } from "../../protocol/api/logs.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { helloOf, recordOf } from "../support/records.ts";

const get = (path: string) => exports.default.fetch(`http://localhost${path}`);

test("a record is marked by the hello of its box, not by its own claim", async () => {
  const aggregator = aggregatorOf(env);
  await aggregator.connected(helloOf("made-up", { simulated: true }));
  await aggregator.connected(helloOf("real"));
  const now = Date.now();
  const boxes = ["made-up", "made-up", "real", "forgotten", null] as const;
  const claims = [null, false, true, null, null] as const;
  await aggregator.ingest(
    boxes.map((box, n) => recordOf(now + n, { box, simulated: claims[n] ?? null }, n)),
  );
  const { logs } = Logs.parse(await (await get("/api/stats/logs")).json());
  const marks = logs.map(({ box, simulated }) => [box, simulated]).reverse();
  expect(marks).toEqual([
    ["made-up", true],
    ["made-up", true],
    ["real", false],
    ["forgotten", null],
    [null, null],
  ]);
  const lines = await (await get("/api/stats/logs?format=ndjson")).text();
  expect(
    lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).simulated),
  ).toEqual([null, null, false, true, true]);
  const [head = "", ...rows] = (await (await get("/api/stats/logs?format=csv")).text())
    .trim()
    .split("\r\n");
  const at = head.split(",").indexOf("simulated");
  expect(at).toBeGreaterThan(0);
  expect(rows.map((row) => row.split(",").at(at - head.split(",").length))).toEqual([
    "",
    "",
    "false",
    "true",
    "true",
  ]);
});
