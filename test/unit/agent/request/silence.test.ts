/** An Ollama that hangs, one that loads a model, and requests that wait for either. */
import { expect, test } from "vitest";
import { OLLAMA_BACK_MS } from "../../../../agent/request/patience.ts";
import { Silence } from "../../../../agent/request/silence.ts";

const TICK_MS = 1_000;

/** A silence whose time passes, and an Ollama that answers its probes or not. */
function scene() {
  const silence = new Silence();
  let nowMs = 0;
  const failed: [id: string, atMs: number][] = [];
  const ollama = { isHung: false, probes: 0 };
  const begin = (id: string, { isPatient = false, kind = "m" } = {}) =>
    silence.begins(id, { kind, isPatient, onHung: () => failed.push([id, nowMs]) }, nowMs);
  const send = (id: string, how = {}) => {
    begin(id, how);
    silence.sent(id, nowMs);
  };
  /** Lets time pass as `hang-probe.ts` does. */
  const pass = (ms: number) => {
    const untilMs = nowMs + ms;
    for (; nowMs < untilMs; nowMs += TICK_MS)
      while (silence.isProbeDue(nowMs) && nowMs < untilMs) {
        ollama.probes++;
        const beganMs = nowMs;
        if (ollama.isHung) nowMs += silence.probeMs;
        silence.probed(beganMs, ollama.isHung, nowMs);
        silence.failHung();
      }
  };
  const answerAfter = (id: string, ms: number, how = {}) => {
    send(id, how);
    nowMs += ms;
    silence.answered(id, nowMs);
  };
  return {
    silence,
    ollama,
    failed,
    begin,
    send,
    pass,
    answerAfter,
    hangNow: () => {
      ollama.isHung = true;
    },
    now: () => nowMs,
  };
}

test("an Ollama that answers its probes does not hang, however long a load takes", () => {
  const { send, pass, failed, silence, ollama } = scene();
  send("cold");
  pass(600_000);
  expect(failed).toEqual([]);
  expect(silence.hungText).toBeNull();
  expect(ollama.probes).toBeGreaterThan(0);
});

test("requests that are answered as quickly as usual cause no probe", () => {
  const { answerAfter, ollama, pass } = scene();
  for (let i = 0; i < 100; i++) answerAfter(`${i}`, 900);
  pass(60_000);
  expect(ollama.probes).toBe(0);
});

test.each([
  ["unknown", [], 6_000],
  ["usually quick", [20, 40, 30], 4_000],
  ["usually slow", [2_000, 1_500], 7_000],
  ["usually slower than any bound", [60_000], 13_000],
])("a request of a model that is %s leaves an Ollama that hangs in time", (_name, before, ms) => {
  const { send, pass, failed, answerAfter, hangNow, now } = scene();
  before.forEach((usualMs, n) => {
    answerAfter(`before-${n}`, usualMs);
  });
  hangNow();
  const sentMs = now();
  send("stuck");
  pass(60_000);
  const [[id, atMs] = ["", 0]] = failed;
  expect(id).toBe("stuck");
  expect(atMs - sentMs).toBeLessThanOrEqual(ms);
  expect(atMs - sentMs).toBeGreaterThan(ms - 2_000);
});

test("a request without another box waits longer, as for an Ollama that restarts", () => {
  const { send, pass, failed, hangNow } = scene();
  hangNow();
  send("moves");
  send("stays", { isPatient: true });
  pass(60_000);
  expect(failed.map(([id]) => id)).toEqual(["moves", "stays"]);
  expect(failed[1]?.[1]).toBeGreaterThanOrEqual(OLLAMA_BACK_MS);
});

test("a request that comes to an Ollama that is known to hang fails at once", () => {
  const { send, begin, pass, failed, hangNow, now } = scene();
  hangNow();
  send("first");
  pass(8_000);
  begin("second");
  expect(failed.at(-1)).toEqual(["second", now()]);
});

test("an Ollama that answers again takes requests, and those that waited go on", () => {
  const { send, pass, failed, ollama, silence } = scene();
  ollama.isHung = true;
  send("stays", { isPatient: true });
  pass(8_000);
  expect(silence.hungText).toContain("not even its version");
  ollama.isHung = false;
  pass(TICK_MS);
  expect(silence.hungText).toBeNull();
  send("next");
  pass(60_000);
  expect(failed).toEqual([]);
});

test("a request that waits for its turn behind stalled answers leaves too", () => {
  const { begin, pass, failed, hangNow } = scene();
  hangNow();
  begin("queued");
  pass(60_000);
  expect(failed.map(([id]) => id)).toEqual(["queued"]);
});

test("a request whose answer has begun is left alone", () => {
  const { send, silence, pass, failed, hangNow, now } = scene();
  send("running");
  silence.answered("running", now());
  hangNow();
  send("stuck");
  pass(60_000);
  expect(failed.map(([id]) => id)).toEqual(["stuck"]);
});

test("an agent that was held up itself learns nothing from its probes", () => {
  const { silence, send, failed } = scene();
  send("waits");
  for (let beganMs = 3_000; beganMs < 60_000; beganMs += 5_000) {
    silence.probed(beganMs, true, beganMs + 5_000);
    silence.failHung();
  }
  expect(failed).toEqual([]);
  expect(silence.hungText).toBeNull();
});
