/** Requests of an agent that loses its tunnel, which another box may serve meanwhile. */
import { expect, test } from "vitest";
import { Outgoing } from "../../../../agent/tunnel/outgoing.ts";
import { RoundTrip } from "../../../../agent/tunnel/round-trip.ts";
import { type Frame, FrameType, jsonBytes, NO_PAYLOAD } from "../../../../protocol/frames.ts";
import {
  MOVE_LOST_MS,
  WITHHELD_LOST_MS,
  WITHHELD_MS,
  YIELD_MS,
} from "../../../../protocol/limits.ts";
import type { Open } from "../../../../protocol/messages.ts";
import { listedSpool, silentOllama, tableWith } from "../../../support/stream-table.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const GAVE_UP = { code: "gave_up", message: "over" };
/** The agent looks once in this time. */
const TICK_MS = 1_000;

const frame = (type: FrameType, seq = 0, payload: Uint8Array = NO_PAYLOAD): Frame => ({
  type,
  stream: ID,
  seq,
  payload,
});

/** A request that Ollama has. */
function scene(may: Pick<Open, "may_move" | "may_ask"> = { may_move: true }) {
  let nowMs = 0;
  let roundTrip = new RoundTrip();
  const { spool, records } = listedSpool();
  const ollama = silentOllama();
  const withheld: number[] = [];
  const released: string[] = [];
  const outgoing = new Outgoing(() => {});
  outgoing.isOpen = true;
  const table = tableWith({
    ollama,
    spool,
    outgoing,
    now: () => nowMs,
    mark: () => roundTrip.mark(),
    records: {
      withhold: (_id, ms) => withheld.push(ms),
      release: (id) => released.push(id),
    },
  });
  const open = {
    method: "GET",
    path: "/api/tags",
    headers: [],
    endpoint: "/api/tags",
    api: "ollama",
    model: null,
    stream: false,
    started_at: "2026-08-01T00:00:00.000Z",
    keep_text: false,
    key_id: null,
    client_ip: null,
    user_agent: null,
    ...may,
  };
  table.attach(true);
  table.receive(frame(FrameType.open, 0, jsonBytes(open)));
  table.receive(frame(FrameType.end, 1));
  return {
    table,
    records,
    withheld,
    released,
    ollama,
    begin: (headers: [string, string][] = []) => ollama.received[0]?.onHead(200, headers),
    breakOff: () => ollama.received[0]?.onError(new Error("socket hang up"), true),
    finish: () => ollama.received[0]?.onEnd(),
    refuse: () => ollama.received[0]?.onError(new Error("connect ECONNREFUSED"), false),
    ping: () => roundTrip.pinged(nowMs),
    pong: () => roundTrip.ponged(nowMs),
    /** Loses the tunnel, which was last known to work this long ago. */
    lose: (silentMs = 0) => {
      table.detach(nowMs - silentMs);
      roundTrip = new RoundTrip();
    },
    pass: (ms: number) => {
      for (const untilMs = nowMs + ms; nowMs < untilMs; ) {
        nowMs += TICK_MS;
        table.tick();
      }
    },
  };
}

type Before = (world: ReturnType<typeof scene>) => void | Promise<void>;

test("a request that may move ends before the edge moves it, and its record waits for that", () => {
  const { table, lose, pass, ollama, records, withheld } = scene();
  lose();
  pass(YIELD_MS);
  expect(table.size).toBe(1);
  pass(MOVE_LOST_MS - YIELD_MS - TICK_MS);
  expect([table.size, ollama.aborted.length, withheld]).toEqual([0, 1, [WITHHELD_LOST_MS]]);
  expect(records).toMatchObject([{ status: "error", failed_at: "tunnel" }]);
});

test("a request that the edge has ended moves nowhere, so its record waits for nothing", () => {
  const { table, records, withheld, ollama } = scene();
  const end = { code: "gave_up", failed_at: "gateway", message: "This API key was revoked." };
  table.receive(frame(FrameType.abort, 0, jsonBytes(end)));
  expect([table.size, ollama.aborted.length, withheld]).toEqual([0, 1, []]);
  expect(records).toMatchObject([{ failed_at: "gateway", error_message: end.message }]);
});

test("an agent that was suspended ends it as soon as it runs again", () => {
  const { table, lose, pass } = scene();
  lose(60_000);
  pass(TICK_MS);
  expect(table.size).toBe(0);
});

test("a tunnel that is back does not keep it if the edge has not resumed it", () => {
  const { table, lose, pass } = scene();
  lose();
  table.attach(true);
  pass(MOVE_LOST_MS);
  expect(table.size).toBe(0);
});

test.each<[name: string, may: Parameters<typeof scene>[0], before: Before]>([
  ["that no other box can serve", {}, () => {}],
  ["that no other box is known to serve", { may_ask: true }, () => {}],
  [
    "whose answer the Box has, as a later heartbeat shows",
    { may_move: true },
    ({ begin, ping, pong }) => {
      begin();
      ping();
      pong();
    },
  ],
  [
    "whose answer the edge has acknowledged",
    { may_move: true },
    async ({ begin, table }) => {
      begin();
      await new Promise(setImmediate); // the frames leave
      table.receive(frame(FrameType.ack, 1));
    },
  ],
  [
    "that Ollama has answered",
    { may_move: true },
    ({ begin, finish }) => {
      begin();
      finish();
    },
  ],
])("a request %s goes on while the tunnel is lost", async (_name, may, before) => {
  const world = scene(may);
  await before(world);
  world.lose();
  world.pass(10_000);
  expect([world.table.size, world.ollama.aborted.length]).toEqual([1, 0]);
});

test.each<[name: string, before: Before]>([
  [
    "has not left before the loss",
    ({ lose, begin }) => {
      lose();
      begin();
    },
  ],
  [
    "may be lost on its way",
    ({ ping, begin, pong, lose }) => {
      ping();
      begin();
      pong(); // answers the earlier ping
      lose();
    },
  ],
])("a request whose answer %s ends", async (_name, before) => {
  const world = scene();
  await before(world);
  world.pass(MOVE_LOST_MS);
  expect(world.table.size).toBe(0);
});

test("a request that the edge has resumed goes on", () => {
  const { table, lose, pass } = scene();
  lose();
  pass(TICK_MS);
  table.attach(true);
  table.receive(frame(FrameType.resume));
  pass(10_000);
  expect(table.size).toBe(1);
});

test.each<[kept: string, may: Parameters<typeof scene>[0], withheld: number[]]>([
  ["waits if another box can serve it", { may_move: true }, [WITHHELD_MS]],
  ["waits if the edge looks for another box", { may_ask: true }, [WITHHELD_MS]],
  ["leaves at once otherwise", {}, []],
])("the record of a request that Ollama refused %s", (_kept, may, withheld) => {
  const world = scene(may);
  world.refuse();
  expect([world.table.size, world.withheld]).toEqual([0, withheld]);
  expect(world.records).toMatchObject([{ status: "error", failed_at: "ollama" }]);
});

test.each<[part: string, headers: [string, string][], isKnown: boolean, withheld: number[]]>([
  ["leaves at once if the caller has a part of it", [], true, []],
  ["waits if that part may be lost on its way", [], false, [WITHHELD_MS]],
  [
    "waits if the edge holds that part back",
    [["content-type", "application/json"]],
    true,
    [WITHHELD_MS],
  ],
])("the record of an answer that broke off %s", (_part, headers, isKnown, withheld) => {
  const world = scene();
  world.begin(headers);
  world.ping();
  if (isKnown) world.pong();
  world.breakOff();
  expect([world.table.size, world.withheld]).toEqual([0, withheld]);
  expect(world.records).toMatchObject([{ status: "error", failed_at: "ollama" }]);
});

test.each<[isKept: string, abort: Uint8Array, released: string[]]>([
  ["no longer waits if the call stays", jsonBytes({ ...GAVE_UP, stays: true }), [ID]],
  ["waits after an ABORT that crossed that of the agent", jsonBytes(GAVE_UP), []],
  ["waits after an ABORT of an edge that is newer than this agent", jsonBytes({ code: "new" }), []],
  ["waits after an ABORT that is not valid", jsonBytes("x"), []],
])("the record of a request that failed %s", (_isKept, abort, released) => {
  const world = scene();
  world.refuse();
  world.table.receive(frame(FrameType.abort, 0, abort));
  expect(world.released).toEqual(released);
});
