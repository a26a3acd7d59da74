import { execFileSync, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import { NODE_DISK } from "../../../agent/spool/disk.ts";
import { IDS_MAX, SpoolIds } from "../../../agent/spool/ids.ts";
import { Spool, type SpoolOptions } from "../../../agent/spool/spool.ts";
import { FRAME_BYTES_MAX, PROMPT_CHARS_MAX, RESPONSE_CHARS_MAX } from "../../../protocol/limits.ts";
import { Records } from "../../../protocol/messages.ts";
import { RequestRecord } from "../../../protocol/records.ts";
import { finished, opened } from "../../support/spool-requests.ts";

const NOW = Date.parse("2026-08-01T00:00:10.000Z");

describe("a request", () => {
  test("ends in the record it was finished with, until the edge confirms it", () => {
    const { spool } = newSpool();
    const id = randomUUID();
    expect(spool.begin(opened(id))).toBe(true);
    expect([spool.pending, spool.next(10)]).toEqual([0, null]);
    spool.finish(finished(id));
    const batch = spool.next(10);
    expect(Records.parse(batch).records).toEqual([finished(id)]);
    expect(spool.next(10)).toEqual(batch);
    expect(spool.pending).toBe(1);
    spool.confirm(batch?.position ?? 0);
    expect([spool.pending, spool.next(10)]).toEqual([0, null]);
    spool.close();
  });

  test("is begun once and finished once", () => {
    const { spool, events } = newSpool();
    const id = randomUUID();
    spool.begin(opened(id));
    expect(spool.begin(opened(id))).toBe(false);
    spool.finish(finished(id));
    spool.finish(finished(id));
    expect(spool.begin(opened(id))).toBe(false);
    expect(idsOf(spool)).toEqual([id]);
    expect(events).toEqual(["spool_finished_twice"]);
  });

  test("that was refused before it was begun has a record too", () => {
    const { spool } = newSpool();
    const id = randomUUID();
    spool.finish(finished(id));
    expect(idsOf(spool)).toEqual([id]);
    expect(spool.knows(id)).toBe(true);
  });

  test("with a record that does not hold still ends in one, as an error", () => {
    const { spool, events } = newSpool();
    const id = randomUUID();
    spool.begin(opened(id));
    spool.finish({ ...finished(id), latency_ms: Number.NaN });
    expect(spool.next(10)?.records).toMatchObject([
      { request_id: id, status: "error", error_message: expect.stringContaining("latency_ms") },
    ]);
    expect([events, spool.lost]).toEqual([["spool_record_refused"], 0]);
  });

  test("whose text may not be kept leaves none on the disk; headers never", () => {
    const { spool, folder } = newSpool();
    const entry = opened(randomUUID(), "canary");
    spool.begin({ ...entry, open: { ...entry.open, keep_text: false } });
    spool.close();
    expect(textIn(folder)).not.toMatch(/canary|never stored/);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });
});

describe("after a crash", () => {
  test("a request that was open becomes an error record with what is known of it", () => {
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
      latency_ms: 1_504, // with what the edge said of its part
      tunnel_ms: null,
      ttft_ms: null,
      queue_ms: null,
      load_ms: null,
      prefill_ms: null,
      decode_ms: null,
      done_reason: null,
    });
    expect(second).toMatchObject({ request_id: later, latency_ms: 4 });
    expect([next.knows(lost), next.begin(opened(lost))]).toEqual([true, false]);
  });

  test("how long a request ran is not told by the clock of an earlier run, which was ahead", () => {
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
    expect(next.next(10)?.records.find(({ request_id }) => request_id === lost)?.latency_ms).toBe(704);
  });

  test("what was finished and unconfirmed is there, what was confirmed is not, and both are known", async () => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) spool.begin(opened(id));
    spool.finish(finished(a));
    spool.confirm(spool.next(1)?.position ?? 0);
    spool.finish(finished(b));
    await vi.waitFor(() => expect(textIn(folder)).toContain('"t":"confirmed"'));
    crash();
    const next = newSpool({ folder }).spool;
    expect(idsOf(next)).toEqual([b]);
    expect([next.knows(a), next.knows(b), next.knows(randomUUID())]).toEqual([true, true, false]);
  });

  test("a confirmation meant for an earlier run never covers a record of this one", () => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) {
      spool.begin(opened(id));
      spool.finish(finished(id));
    }
    const late = spool.next(10)?.position ?? 0;
    crash();
    // A power cut took the last line.
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

  test.each([1, 2, 10, 100])("a last line torn %i bytes short is skipped", (bytes) => {
    const { spool, folder, crash } = newSpool();
    const [a, b] = [randomUUID(), randomUUID()];
    for (const id of [a, b]) spool.begin(opened(id));
    for (const id of [a, b]) spool.finish(finished(id));
    crash();
    const path = join(folder, "000001.log");
    truncateSync(path, statSync(path).size - bytes);
    const next = newSpool({ folder }).spool;
    // The torn record belongs to a request that was begun: an error record takes its place.
    expect(next.next(10)?.records.map(({ request_id, status }) => [request_id, status])).toEqual([
      [a, "success"],
      [b, "error"],
    ]);
  });

  test.each([
    ["text", "\u0000\u0001 garbage\n"],
    ["JSON of another kind", '{"t":"done","position":"x"}\n{"t":"party"}\n[]\nnull\n'],
    ["a record that does not hold", '{"t":"done","at":1,"position":5,"record":{"request_id":"a"}}\n'],
  ])("%s between the lines costs only itself", (_what, garbage) => {
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

describe("segments", () => {
  test("are rotated, read across, and deleted when all in them is confirmed; an open request and the ids survive", async () => {
    const { spool, folder } = newSpool();
    const pinned = randomUUID();
    spool.begin(opened(pinned));
    const ids = Array.from({ length: 300 }, () => randomUUID());
    for (const id of ids) {
      spool.begin(opened(id));
      spool.finish(finished(id, "x".repeat(RESPONSE_CHARS_MAX)));
    }
    expect(segmentsIn(folder).length).toBeGreaterThan(3);
    for (const name of segmentsIn(folder)) expect(statSync(join(folder, name)).size).toBeLessThanOrEqual(4 * 1024 * 1024);
    const delivered: string[] = [];
    for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
      expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThanOrEqual(FRAME_BYTES_MAX);
      delivered.push(...batch.records.map((record) => record.request_id));
      spool.confirm(batch.position);
    }
    expect(delivered).toEqual(ids);
    await vi.waitFor(() => expect(segmentsIn(folder)).toHaveLength(1));
    spool.close();
    const next = newSpool({ folder }).spool;
    expect(idsOf(next)).toEqual([pinned]);
    expect(ids.every((id) => next.knows(id))).toBe(true);
  });

  test("one record of the largest size fits into a frame", () => {
    const { spool } = newSpool();
    const id = randomUUID();
    const worst = { ...finished(id, "\u0001".repeat(RESPONSE_CHARS_MAX)), prompt: "\u0001".repeat(PROMPT_CHARS_MAX) };
    spool.finish(worst);
    spool.finish({ ...worst, request_id: randomUUID() });
    spool.finish({ ...worst, request_id: randomUUID() });
    const batch = spool.next(200);
    expect(batch?.records.length).toBeGreaterThan(0);
    expect(Buffer.byteLength(JSON.stringify(batch))).toBeLessThanOrEqual(FRAME_BYTES_MAX);
  });

  test("one that vanished is counted as lost, and the others get through", () => {
    const { spool, folder, events } = newSpool();
    const ids = Array.from({ length: 100 }, () => randomUUID());
    for (const id of ids) spool.finish(finished(id, "x".repeat(RESPONSE_CHARS_MAX)));
    unlinkSync(join(folder, "000001.log"));
    const rest: string[] = [];
    for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
      rest.push(...batch.records.map((record) => record.request_id));
      spool.confirm(batch.position);
    }
    expect(rest).toEqual(ids.slice(-rest.length));
    expect(rest.length).toBeGreaterThan(0);
    expect([spool.lost, spool.pending]).toEqual([ids.length - rest.length, 0]);
    expect(events).toContain("spool_segment_unreadable");
  });
});

describe("the ids", () => {
  test("all open and unconfirmed ones are known, and the newest others", () => {
    const ids = new SpoolIds();
    ids.begin("long", 0);
    for (let n = 1; n <= 3 * IDS_MAX; n++) {
      ids.begin(`id-${n}`, n - 1);
      ids.finish(`id-${n}`, n);
    }
    expect([ids.has("long"), ids.has("id-1"), ids.has(`id-${2 * IDS_MAX + 10}`)]).toEqual([true, false, true]);
    expect(ids.over(Number.MAX_SAFE_INTEGER).length).toBeLessThanOrEqual(IDS_MAX);
    for (let n = 0; n < 2 * IDS_MAX; n++) ids.begin(`open-${n}`, 0);
    expect(ids.has("open-0")).toBe(true);
  });
});

describe("a disk that fails", () => {
  test("records go on to the edge from memory, and to the disk when it is back", async () => {
    const { spool, folder, disk, events } = newSpool();
    const [before, open, during, confirmed] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()];
    spool.begin(opened(before));
    disk.isFull = true;
    for (const id of [open, during, confirmed]) spool.begin(opened(id));
    spool.finish(finished(confirmed));
    spool.confirm(spool.next(10)?.position ?? 0);
    spool.finish(finished(before));
    spool.finish(finished(during));
    expect([idsOf(spool), spool.pending]).toEqual([[before, during], 2]);
    expect(events).toEqual(["spool_disk_failed"]);
    disk.isFull = false;
    await vi.waitFor(() => expect(events).toContain("spool_disk_back"));
    expect([idsOf(spool), spool.pending, spool.lost]).toEqual([[before, during], 2, 0]);
    spool.close();
    const next = newSpool({ folder }).spool;
    expect(next.next(10)?.records.map(({ request_id, status }) => [request_id, status])).toEqual([
      [before, "success"],
      [during, "success"],
      [open, "error"],
    ]);
    expect(next.knows(confirmed)).toBe(true);
  });

  test("past 10,000 records the oldest are lost, and counted", () => {
    const { spool, disk } = newSpool();
    disk.isFull = true;
    const ids = Array.from({ length: 10_003 }, () => randomUUID());
    for (const id of ids) spool.finish(finished(id, null));
    expect([spool.lost, spool.pending]).toEqual([3, 10_000]);
    expect(spool.next(1)?.records[0]?.request_id).toBe(ids[3]);
    spool.confirm(spool.next(1)?.position ?? 0);
    expect(spool.pending).toBe(9_999);
  });

  const canMount = process.platform === "linux" && mountsTmpfs();
  test.skipIf(!canMount)("a full tmpfs", async () => {
    await using mount = tmpfs("256k");
    const { spool, events } = newSpool({ folder: join(mount.folder, "spool"), onRealDisk: true });
    const ids = Array.from({ length: 400 }, () => randomUUID());
    for (const id of ids) {
      expect(spool.begin(opened(id))).toBe(true);
      spool.finish(finished(id, "x".repeat(1_000)));
    }
    expect(events).toContain("spool_disk_failed");
    expect([spool.pending, spool.lost]).toEqual([400, 0]);
    const delivered: string[] = [];
    for (let batch = spool.next(50); batch !== null; batch = spool.next(50)) {
      delivered.push(...batch.records.map((record) => record.request_id));
      spool.confirm(batch.position);
    }
    expect(delivered).toEqual(ids);
    mount.grow("8m");
    await vi.waitFor(() => expect(events).toContain("spool_disk_back"));
    spool.close();
    const next = newSpool({ folder: join(mount.folder, "spool") }).spool;
    expect([next.next(10), next.pending]).toEqual([null, 0]);
    expect(ids.every((id) => next.knows(id))).toBe(true);
    next.close();
  });
});

test("killed at random points, each request ends in exactly one record", { timeout: 120_000 }, async () => {
  const folder = newFolder();
  const [willBegin, begun, done, confirmed] = [new Set<string>(), new Set<string>(), new Set<string>(), new Set<string>()];
  const outcome = new Map<string, string>();
  const deliver = (id: string, status: string) => {
    // The edge keeps the first; a second one must be the same.
    expect(outcome.get(id) ?? status).toBe(status);
    outcome.set(id, status);
  };
  for (let round = 1; round <= 20; round++) {
    for (const line of await linesUntilKilled(folder, round)) {
      const [what, id = "", status = ""] = line.split(" ");
      if (what === "+") willBegin.add(id);
      if (what === "b") begun.add(id);
      if (what === "f") done.add(id);
      if (what === "d") deliver(id, status);
      if (what === "c") confirmed.add(id);
    }
  }
  const { spool } = newSpool({ folder });
  for (let batch = spool.next(200); batch !== null; batch = spool.next(200)) {
    for (const record of batch.records) deliver(record.request_id, record.status);
    spool.confirm(batch.position);
  }
  expect(begun.size).toBeGreaterThan(200);
  expect(confirmed.size).toBeGreaterThan(0);
  expect([...begun].filter((id) => !outcome.has(id))).toEqual([]);
  expect([...done].filter((id) => outcome.get(id) !== "success")).toEqual([]);
  expect([...outcome.keys()].filter((id) => !willBegin.has(id))).toEqual([]);
  expect([...outcome.values()].filter((status) => status === "error").length).toBeGreaterThan(0);
});

test("any sequence of calls, crashes and disk failures agrees with the model", () => {
  const operation = fc.oneof(
    { weight: 6, arbitrary: fc.constant("begin" as const) },
    { weight: 6, arbitrary: fc.constant("finish" as const) },
    { weight: 2, arbitrary: fc.constant("confirm" as const) },
    { weight: 1, arbitrary: fc.constant("confirm a part" as const) },
    { weight: 1, arbitrary: fc.constant("restart" as const) },
    { weight: 1, arbitrary: fc.constant("crash" as const) },
    { weight: 1, arbitrary: fc.constant("disk" as const) },
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 80 }), (operations) => {
      const folder = newFolder();
      let clock = NOW;
      let run = newSpool({ folder, now: () => clock++ });
      let open: string[] = [];
      let waiting: { id: string; status: string }[] = [];
      const confirmed: { id: string; status: string }[] = [];
      const known: string[] = [];
      const restart = () => {
        run = newSpool({ folder, now: () => clock++ });
        waiting.push(...open.map((id) => ({ id, status: "error" })));
        open = [];
      };
      for (const what of operations) {
        if (what === "begin") {
          const id = randomUUID();
          run.spool.begin(opened(id));
          open.push(id);
          known.push(id);
        }
        if (what === "finish") {
          const id = open.shift();
          if (id === undefined) continue;
          run.spool.finish(finished(id));
          waiting.push({ id, status: "success" });
        }
        if (what === "confirm" || what === "confirm a part") {
          const batch = run.spool.next(what === "confirm" ? 100 : 1);
          if (batch !== null) run.spool.confirm(batch.position);
          confirmed.push(...waiting.splice(0, batch?.records.length ?? 0));
        }
        if (what === "disk") run.disk.isFull = !run.disk.isFull;
        // A disk that is full at the moment of a crash takes what only memory had with it: said in the docstring.
        if (what === "crash" && !run.disk.hasFailed) {
          run.crash();
          restart();
          // What was confirmed last may be handed out again, in its place before the rest.
          const again = (run.spool.next(1_000)?.records.length ?? 0) - waiting.length;
          waiting = [...confirmed.slice(confirmed.length - again), ...waiting];
        }
        if (what === "restart") {
          run.disk.isFull = false;
          run.spool.close();
          restart();
        }
        const records = run.spool.next(1_000)?.records ?? [];
        expect(records.map(({ request_id, status }) => ({ id: request_id, status }))).toEqual(waiting);
        expect([run.spool.pending, run.spool.lost]).toEqual([waiting.length, 0]);
        expect(known.every((id) => run.spool.knows(id))).toBe(true);
      }
      run.crash();
      rmSync(folder, { recursive: true });
    }),
    { numRuns: 60 },
  );
});

test("a day without the edge at one request a second stays on the disk", { timeout: 60_000 }, () => {
  const { spool, folder } = newSpool();
  const response = "x".repeat(200);
  const heapBefore = heapBytes();
  // A tenth of a day, to keep the test short; the figures scale.
  const requests = 8_640;
  for (let n = 0; n < requests; n++) {
    const id = randomUUID();
    spool.begin(opened(id));
    spool.finish(finished(id, response));
  }
  const perRequest = (heapBytes() - heapBefore) / requests;
  expect(perRequest).toBeLessThan(300);
  expect(spool.pending).toBe(requests);
  spool.close();
  const next = newSpool({ folder }).spool;
  expect(next.pending).toBe(requests);
  next.close();
  rmSync(folder, { recursive: true });
});

const newFolder = () => join(mkdtempSync(join(tmpdir(), "spool-")), "spool");

/** A spool on a disk that can be made to fail, and a crash that leaves the disk as it is. */
function newSpool({ folder = newFolder(), now = () => NOW, onRealDisk = false } = {}) {
  const disk = { isFull: false, hasFailed: false };
  const events: string[] = [];
  const append = (fd: number, text: string) => {
    if (!disk.isFull) return void writeSync(fd, text);
    disk.hasFailed = true;
    writeSync(fd, text.slice(0, text.length / 2));
    throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
  };
  const log: SpoolOptions["log"] = (level, event) => {
    if (level !== "info" || event === "spool_disk_back") events.push(event);
  };
  const spool = Spool.open(folder, onRealDisk ? { now, log } : { now, log, disk: { ...NODE_DISK, append } });
  // After a crash nothing is written any more; what is in the files is what SIGKILL would leave.
  const crash = () => {
    disk.isFull = true;
  };
  return { spool, folder, events, disk, crash };
}

const idsOf = (spool: Spool) => spool.next(1_000)?.records.map((record) => RequestRecord.parse(record).request_id) ?? [];

const segmentsIn = (folder: string) => readdirSync(folder).filter((name) => /^\d{6}\.log$/.test(name));

const textIn = (folder: string) =>
  segmentsIn(folder)
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("");

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

/** Lets another process serve until it has said a random number of lines, kills it, and returns what it said. */
async function linesUntilKilled(folder: string, seed: number): Promise<string[]> {
  const script = new URL("../../support/spool-writer.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, folder, String(seed)], { stdio: ["ignore", "pipe", "inherit"] });
  const gone = new Promise((resolve) => child.once("close", resolve));
  const linesMax = 1 + Math.floor(Math.random() * 400);
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    if (said.split("\n").length > linesMax) child.kill("SIGKILL");
  });
  await gone;
  return said.split("\n").slice(1, -1);
}

function mountsTmpfs(): boolean {
  if (process.getuid?.() !== 0) return false;
  try {
    const mount = tmpfs("64k");
    void mount[Symbol.asyncDispose]();
    return true;
  } catch {
    return false;
  }
}

function tmpfs(size: string) {
  const folder = mkdtempSync(join(tmpdir(), "full-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", folder], { stdio: "ignore" });
  return {
    folder,
    grow: (larger: string) => execFileSync("mount", ["-o", `remount,size=${larger}`, folder]),
    [Symbol.asyncDispose]: async () => void execFileSync("umount", ["-l", folder]),
  };
}
