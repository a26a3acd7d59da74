/** The spool after a crash, or after damage to its files. */
import { randomUUID } from "node:crypto";
import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Records } from "../../../../protocol/messages.ts";
import { ReportedRecord } from "../../../../protocol/records.ts";
import { UNROUTED } from "../../../../protocol/route.ts";
import { finished, opened } from "../../../support/spool-requests.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { idsOf, NOW, newSpool, textIn } from "./scene.ts";

describe("after a crash", () => {
  test("turns a request that was open at the crash into an error record with the known facts", () => {
    let clock = NOW;
    const { spool, folder, crash } = newSpool({ now: () => clock });
    const [lost, later] = [randomUUID(), randomUUID()];
    spool.begin(opened(lost));
    clock += 1_500;
    spool.begin(opened(later));
    crash();
    clock += 3_600_000;
    const next = newSpool({ folder, now: () => clock }).spool;
    expect(next.pending).toBe(2);
    const [first, second] = Records.parse(next.next(10)).records;
    expect(first).toEqual({
      ...finished(lost, null),
      status: "error",
      http_status: 502,
      failed_at: "tunnel",
      error_message: "the agent stopped while it served this request",
      prompt_tokens: null,
      completion_tokens: null,
      latency_ms: 1_504, // includes the edge's own part
      tunnel_ms: null,
      ttft_ms: null,
      queue_ms: null,
      load_ms: null,
      prefill_ms: null,
      decode_ms: null,
      phases_source: null,
      ...UNROUTED,
      done_reason: null,
    });
    expect(second).toMatchObject({ request_id: later, latency_ms: 4 });
    expect([next.knows(lost), next.begin(opened(lost))]).toEqual([true, false]);
  });

  test("gives the record of a killed agent the time, status, tokens and text of its last second", () => {
    let clock = NOW;
    const { spool, folder, crash } = newSpool({ now: () => clock });
    const [streamed, waiting, over] = [randomUUID(), randomUUID(), randomUUID()];
    for (const id of [streamed, waiting, over]) spool.begin(opened(id));
    const noted = { http_status: 200, ttft_ms: 40, completion_tokens: 11, response: "Rayleigh" };
    const nothing = { http_status: null, ttft_ms: null, completion_tokens: null, response: null };
    spool.note([{ request_id: streamed, ...noted }]);
    spool.finish(finished(over));
    clock += 6_000;
    spool.note([
      { request_id: streamed, ...noted, completion_tokens: 93, response: "Rayleigh scattering" },
      { request_id: waiting, ...nothing },
      { request_id: over, ...noted },
    ]);
    crash();
    const next = newSpool({ folder, now: () => clock }).spool;
    const records = new Map(
      next.next(10)?.records.map((record) => {
        const read = ReportedRecord.parse(record);
        return [read.request_id, read];
      }),
    );
    expect(records.get(streamed)).toMatchObject({
      ...noted,
      status: "error",
      completion_tokens: 93,
      response: "Rayleigh scattering",
      latency_ms: 6_004,
    });
    expect(records.get(waiting)).toMatchObject({
      ...nothing,
      http_status: 502,
      latency_ms: 6_004,
    });
    expect(records.get(over)).toEqual(finished(over));
  });

  test("measures how long a request ran without the clock of an earlier run, which was ahead", () => {
    let clock = NOW + 90 * 24 * 3_600_000;
    const early = newSpool({ now: () => clock });
    early.spool.begin(opened(randomUUID()));
    early.crash();
    clock = NOW;
    const { spool, folder, crash } = newSpool({ folder: early.folder, now: () => clock });
    const lost = randomUUID();
    spool.begin(opened(lost));
    clock += 700;
    spool.begin(opened(randomUUID()));
    crash();
    const next = newSpool({ folder, now: () => clock }).spool;
    expect(next.next(10)?.records.find(({ request_id }) => request_id === lost)?.latency_ms).toBe(
      704,
    );
  });

  test("returns unconfirmed records after a crash, not confirmed ones, and knows the ids of both", async () => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) spool.begin(opened(id));
    spool.finish(finished(a));
    spool.confirm(spool.next(1)?.position ?? 0);
    spool.finish(finished(b));
    await waitFor(() => expect(textIn(folder)).toContain('"t":"confirmed"'));
    crash();
    const next = newSpool({ folder }).spool;
    expect(idsOf(next)).toEqual([b]);
    expect([next.knows(a), next.knows(b), next.knows(randomUUID())]).toEqual([true, true, false]);
  });

  test("never lets a confirmation meant for an earlier run cover a record of this one", () => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) {
      spool.begin(opened(id));
      spool.finish(finished(id));
    }
    const late = spool.next(10)?.position ?? 0;
    crash();
    // A power cut removed the last line.
    const path = join(folder, "000001.log");
    const lines = readFileSync(path, "utf8").trimEnd().split("\n");
    writeFileSync(path, `${lines.slice(0, -1).join("\n")}\n`);
    const next = newSpool({ folder, now: () => NOW + 60_000 }).spool;
    const c = randomUUID();
    next.begin(opened(c));
    next.finish(finished(c));
    next.confirm(late);
    expect(idsOf(next)).toEqual([b, c]);
    next.confirm(Number.MAX_SAFE_INTEGER);
    expect(next.pending).toBe(2);
  });

  test.each([1, 2, 10, 100])("skips a last line that is %i bytes short", (bytes) => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) spool.begin(opened(id));
    for (const id of [a, b]) spool.finish(finished(id));
    crash();
    const path = join(folder, "000001.log");
    truncateSync(path, statSync(path).size - bytes);
    const next = newSpool({ folder }).spool;
    // The torn record belongs to a request that had begun: an error record takes its place.
    expect(next.next(10)?.records.map(({ request_id, status }) => [request_id, status])).toEqual([
      [a, "success"],
      [b, "error"],
    ]);
  });

  test.each([
    ["text", "\u0000\u0001 garbage\n"],
    ["JSON of another kind", '{"t":"done","position":"x"}\n{"t":"party"}\n[]\nnull\n'],
    ["an invalid record", '{"t":"done","at":1,"position":5,"record":{"request_id":"a"}}\n'],
  ])("skips %s between the lines and keeps everything else", (_kind, garbage) => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    spool.finish(finished(a));
    crash();
    appendFileSync(join(folder, "000001.log"), garbage);
    const { spool: second, crash: crashAgain } = newSpool({ folder });
    second.finish(finished(b));
    expect(idsOf(second)).toEqual([a, b]);
    crashAgain();
    const { spool: third, events } = newSpool({ folder });
    expect([idsOf(third), third.pending]).toEqual([[a, b], 2]);
    expect(events).toContain("spool_lines_skipped");
  });
});
