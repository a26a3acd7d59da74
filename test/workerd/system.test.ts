/** The routes of boxes and their machines in `/api`. */
import { exports } from "cloudflare:workers";
import { expect, test } from "vitest";
import { Boxes } from "../../protocol/api/fleet.ts";
import { ApiError } from "../../protocol/api/shapes.ts";
import { System, SystemHistory } from "../../protocol/api/system.ts";
import { FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { Readings } from "../../protocol/inventory.ts";
import { gpuOf, readingsOf, systemOf } from "../support/records.ts";
import { call, newestOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const answerOf = async (path: string): Promise<unknown> => {
  const answer = await call(path);
  expect(answer.status, path).toBe(200);
  expect(answer.headers.get("cache-control")).toBe("no-store");
  return answer.json();
};

/** Connects an agent that has sent readings. */
async function connected(box: string, readings: Readings): Promise<FakeAgent> {
  const agent = await FakeAgent.connect(box);
  agent.send(tunnelFrame(FrameType.readings, readings));
  for (;;) {
    const { boxes } = Boxes.parse(await (await call(`/api/boxes?box=${box}`)).json());
    if (boxes[0]?.readings_at !== null) return agent;
  }
}

test("/api/boxes and /api/system show the agent's last readings", async () => {
  const now = Date.now();
  const readings = {
    ...readingsOf(now, ["llama3.2:latest"], [gpuOf("shown", now)], [], [systemOf(now)]),
    now_ms: now,
  };
  const half = {
    name: "llama3.2:latest",
    size_bytes: 4e9,
    size_vram_bytes: 2e9,
    context_length: 4_096,
    expires_at: null,
  };
  readings.inventory.loaded = [half, { ...half, name: "odd:1b", size_bytes: null }];
  const agent = await connected("shown", readings);
  const { boxes } = Boxes.parse(await answerOf("/api/boxes?box=shown"));
  expect(boxes).toHaveLength(1);
  expect(boxes[0]).toMatchObject({
    name: "shown",
    state: "up",
    simulated: false,
    last_seen: null,
    connected_at: expect.any(String),
    agent_version: "0.1.0",
    agent_current: true,
    ollama_version: "0.13.0",
    ollama_reachable: true,
    ollama_error: null,
    models: [{ name: "llama3.2:latest", size_bytes: null }],
    loaded: [
      { ...half, gpu_share: 0.5 },
      { name: "odd:1b", gpu_share: null },
    ],
    in_flight: 0,
    queue_depth: 0,
    tunnel_ms: 30,
    spooled: 3,
    gpus: [{ box: "shown", utilization_percent: 75, driver_version: "570.1", simulated: false }],
    gpu_error: null,
    system: { cpu_percent: 25, queued: 1 },
  });
  expect(System.parse(await answerOf("/api/system?box=shown"))).toMatchObject({
    available: true,
    memory_used_gb: 16,
    boxes: [{ box: "shown" }],
  });
  const history = SystemHistory.parse(
    await answerOf("/api/system/history?time_range=5m&box=shown"),
  );
  expect(history).toMatchObject({ time_range: "5m", data_points: 15 });
  expect(history.data).toHaveLength(15);
  expect(newestOf(history.data)).toMatchObject({ queue_depth: 1, gpu_available: true });
  expect(Boxes.parse(await answerOf("/api/boxes")).boxes.map(({ name }) => name)).toContain(
    "shown",
  );

  agent.socket.close(1000);
  for (;;) {
    const { boxes: after } = Boxes.parse(await answerOf("/api/boxes?box=shown"));
    if (after[0]?.state !== "down") continue;
    expect(after[0]).toMatchObject({
      connected_at: null,
      last_seen: expect.any(String),
      models: [{ name: "llama3.2:latest" }],
      loaded: [],
      in_flight: null,
      queue_depth: null,
      tunnel_ms: null,
      spooled: null,
      gpus: [],
      gpu_error: "the box is not connected",
      system: null,
    });
    break;
  }
  expect(System.parse(await answerOf("/api/system?box=shown"))).toMatchObject({
    available: false,
    error: "shown: the box is not connected",
  });
});

test("an older agent, which sends no samples of its machine, keeps working", async () => {
  const { system: _, now_ms: __, ...old } = readingsOf(Date.now(), ["llama3.2:latest"]);
  await connected("older", old as Readings);
  expect(Boxes.parse(await answerOf("/api/boxes?box=older")).boxes[0]).toMatchObject({
    system: null,
    models: [{}],
    clock_skew_ms: expect.any(Number),
  });
  expect(System.parse(await answerOf("/api/system?box=older")).error).toMatch(
    /too old to sample the machine/,
  );
});

test.each<[path: string, status: number, code: string, message: RegExp]>([
  ["/api/system/history?time_range=2h", 400, "bad_request", /time_range/],
  [
    "/api/system/history?time_range=7d",
    400,
    "bad_request",
    /Without ClickHouse or Postgres samples are kept for a day/,
  ],
  [
    "/api/gpu/history?time_range=30d",
    400,
    "bad_request",
    /Without ClickHouse or Postgres samples are kept for a day/,
  ],
  ["/api/system/history?time_range=", 400, "bad_request", /time_range/],
  ["/api/system/history?max_points=9", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=501", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=12.5", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=many", 400, "bad_request", /max_points/],
  ["/api/system/history?max_points=10&max_points=20", 400, "bad_request", /twice/],
  ["/api/system/history?points=10", 400, "bad_request", /points/],
  ["/api/system/history?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/system?time_range=1h", 400, "bad_request", /time_range/],
  ["/api/system?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/system?box=a%20b", 400, "bad_request", /box name/],
  ["/api/boxes?box=nobody", 404, "box_not_found", /no box named nobody/],
  ["/api/boxes?box=", 400, "bad_request", /box name/],
  ["/api/boxes?state=up", 400, "bad_request", /state/],
  ["/api/gpu?box=nobody", 404, "box_not_found", /no box named nobody/],
])("%s returns %i %s", async (path, status, code, message) => {
  const answer = await call(path);
  const { error } = ApiError.parse(await answer.json());
  expect([answer.status, error.code, error.failed_at]).toEqual([status, code, "gateway"]);
  expect(error.message).toMatch(message);
});

test.each(["/api/boxes", "/api/system", "/api/system/history"])(
  "%s takes GET alone",
  async (path) => {
    const answer = await exports.default.fetch(`http://localhost${path}`, {
      method: "POST",
      body: "{}",
    });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET"]);
  },
);
