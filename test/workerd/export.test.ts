/** Logs by cursor, and exports of logs and history. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { LogEntry, Logs } from "../../protocol/api/logs.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { HistoryPoint } from "../../protocol/api/stats.ts";
import { aggregatorOf } from "../../worker/aggregator/stub.ts";
import { helloOf, idOf, readingsOf, recordOf } from "../support/records.ts";

const NOW = Date.now();
const COUNT = 1_203;
const call = (query: string) => exports.default.fetch(`http://localhost/api/stats/${query}`);
/** Does not use `text()`, since the runtime warns about it if the type is not text. */
const textOf = async (answer: Response) => new TextDecoder().decode(await answer.arrayBuffer());
const linesOf = async (answer: Response) => (await textOf(answer)).trimEnd().split(/\r?\n/);

beforeAll(async () => {
  await aggregatorOf(env).connected(helloOf("atlas"));
  await aggregatorOf(env).read("atlas", readingsOf(NOW, ["llama3.2:latest"]));
  const records = Array.from({ length: COUNT }, (_, n) =>
    recordOf(NOW - n * 1_000, {
      status: n % 3 === 0 ? "error" : "success",
      prompt: `=cmd "${n}"`,
      response: null,
    }),
  );
  await aggregatorOf(env).ingest(records);
});

test("a cursor pages through everything once, even while new requests arrive", async () => {
  const ids: string[] = [];
  let query = "logs?limit=500";
  for (;;) {
    const page = Logs.parse(await (await call(query)).json());
    ids.push(...page.logs.map(({ id }) => id));
    if (page.next_cursor === null) break;
    await aggregatorOf(env).ingest([recordOf(NOW + ids.length, { model: "newer" })]);
    query = `logs?limit=500&cursor=${page.next_cursor}`;
  }
  expect(ids).toEqual(Array.from({ length: COUNT }, (_, n) => idOf(NOW - n * 1_000)));
});

test("an NDJSON export contains all logs, one entry per line", async () => {
  const answer = await call("logs?format=ndjson&status=error");
  expect(answer.headers.get("content-type")).toBe("application/x-ndjson");
  expect(answer.headers.get("content-disposition")).toBe('attachment; filename="logs.ndjson"');
  const entries = (await linesOf(answer)).map((line) => LogEntry.parse(JSON.parse(line)));
  expect(entries).toHaveLength(401);
  expect(entries.every(({ status }) => status === "error")).toBe(true);
});

test("a CSV export of logs has a header and no formula", async () => {
  const answer = await call("logs?format=csv&limit=3&model=llama3.2");
  expect(answer.headers.get("content-type")).toBe("text/csv; charset=utf-8; header=present");
  const [header, ...rows] = await linesOf(answer);
  expect(header?.split(",")).toEqual(Object.keys(LogEntry.shape));
  expect(rows).toHaveLength(3);
  expect(rows[1]).toContain(`"'=cmd ""1"""`);
});

test("an export of history has any length and the same totals", async () => {
  const answer = await call("history?format=ndjson&time_range=7d&granularity=1m&model=llama3.2");
  const points = (await linesOf(answer)).map((line) => HistoryPoint.parse(JSON.parse(line)));
  expect(points).toHaveLength(7 * 24 * 60);
  expect(points.reduce((sum, { requests }) => sum + requests, 0)).toBe(COUNT);
  const times = points.map(({ timestamp }) => Date.parse(timestamp));
  expect(
    times.every((time, index) => index === 0 || time - (times[index - 1] ?? 0) === 60_000),
  ).toBe(true);
  const [header, ...rows] = await linesOf(await call("history?format=csv&hours=24"));
  expect(header?.split(",")).toEqual(Object.keys(HistoryPoint.shape));
  expect(rows).toHaveLength(288);
});

test("an export without entries is a header or an empty file", async () => {
  expect(await linesOf(await call("logs?format=csv&box=nobody"))).toHaveLength(1);
  expect(await textOf(await call("logs?format=ndjson&box=nobody"))).toBe("");
});

test.each([
  ["logs?limit=0", /limit/],
  ["logs?limit=1001", /limit/],
  ["logs?limit=ten", /limit/],
  ["logs?offset=-1", /offset/],
  ["logs?cursor=abc", /cursor/],
  [`logs?cursor=${idOf(0)}&offset=1`, /not both/],
  ["logs?status=fine", /status/],
  ["logs?format=xml", /format/],
  ["logs?box=a%20b", /box/],
  ["logs?model=", /model/],
  ["logs?modle=x", /modle/],
  ["logs?limit=1&limit=2", /twice/],
  ["history?time_range=2h", /time_range/],
  ["history?hours=0", /hours/],
  ["history?time_range=7d&granularity=1m", /at most 2200 points/],
  ["current?x=1", /x/],
])("%s is rejected with the reason", async (query, reason) => {
  const answer = await call(query);
  expect(answer.status).toBe(400);
  const { error } = ApiError.parse(await answer.json());
  expect(error).toMatchObject({
    code: "bad_request",
    failed_at: "gateway",
    request_id: answer.headers.get("x-request-id"),
  });
  expect(error.message).toMatch(reason);
});
