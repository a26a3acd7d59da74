/** Connections that wait, and more of them than this process has files for. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { connectionsMaxOf, filesMaxOf } from "../../../../agent/listen/connection-limits.ts";
import { AGENT } from "../../../../local/edge.ts";
import { FrameType } from "../../../../protocol/frames.ts";
import { type SimulatedOllama, startSimulatedOllama } from "../../../../simulated/ollama.ts";
import { buildOnce } from "../../../support/built.ts";
import { FakeEdge } from "../../../support/fake-edge.ts";
import { Listening } from "../../../support/listening.ts";
import { eventually } from "../../../support/stack.ts";

let simulated: SimulatedOllama;

beforeAll(async () => {
  simulated = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0 });
});
afterAll(() => simulated.close());

/** Opens connections that send `text` and then nothing. */
function open(url: string, count: number, text = ""): Socket[] {
  const { hostname, port } = new URL(url);
  return Array.from({ length: count }, () => {
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {}).resume();
    if (text !== "") socket.write(text);
    return socket;
  });
}

const closedOf = (sockets: Socket[]): number =>
  sockets.filter(({ readableEnded, destroyed }) => readableEnded || destroyed).length;

const versionOf = (listening: Listening) => listening.call("GET", "/api/version");

test("closes the connections beyond its limit, and serves again when others are gone", async () => {
  await using own = await Listening.start(simulated.url, { limits: { connectionsMax: 5 } });
  const idle = open(own.url, 20);
  await eventually(async () => closedOf(idle) === 15);
  await expect(versionOf(own)).rejects.toThrow();
  for (const socket of idle) socket.destroy();
  await eventually(async () => (await versionOf(own).catch(() => null))?.status === 200);
});

test("closes connections that wait for a next request when it has no room for another", async () => {
  await using own = await Listening.start(simulated.url, { limits: { connectionsMax: 3 } });
  const agent = new Agent({ keepAlive: true, maxSockets: 3 });
  const call = async () => {
    const sent = request(`${own.url}/api/version`, { agent }).end();
    const [response] = await once(sent, "response");
    response.resume();
    await once(response, "end");
  };
  await Promise.all([call(), call(), call()]);
  await eventually(async () => (await versionOf(own).catch(() => null))?.status === 200);
  agent.destroy();
});

const SILENT: [name: string, text: string][] = [
  ["sends nothing", ""],
  ["stops in the middle of a head", "POST /api/chat HTTP/1.1\r\nHost: localhost\r\n"],
  [
    "stops in the middle of a body",
    'POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{"model"',
  ],
  [
    "stops in the middle of an upload",
    `POST /api/blobs/sha256:${"a".repeat(64)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\nx`,
  ],
  ["waits after an answer", "GET /api/version HTTP/1.1\r\nHost: localhost\r\n\r\n"],
];

test.each(SILENT)("closes the connection of a caller that %s", async (_name, text) => {
  const limits = { headMs: 100, bodyMs: 100, idleMs: 100 };
  await using own = await Listening.start(simulated.url, { limits });
  const sockets = open(own.url, 1, text);
  await eventually(async () => closedOf(sockets) === 1);
  await eventually(async () => own.listener.inFlight === 0);
});

test("waits for a slow answer, however short the limits for callers are", async () => {
  const slow = await startSimulatedOllama({ models: ["m:latest"], loadMsPerGb: 0, tokenMs: 60 });
  try {
    const limits = { headMs: 100, bodyMs: 100, idleMs: 100 };
    await using own = await Listening.start(slow.url, { limits });
    const body = JSON.stringify({
      model: "m",
      prompt: "x",
      stream: false,
      options: { num_predict: 10 },
    });
    const answer = await own.call("POST", "/api/generate", body, {
      "content-length": body.length,
    });
    expect(answer).toMatchObject({ status: 200, isComplete: true });
  } finally {
    await slow.close();
  }
});

test.each([
  [256, 96],
  [1_024, 480],
  [64, 1],
  [1_048_576, 10_000],
])("with %i files, accepts %i connections", (files, connections) =>
  expect(connectionsMaxOf(files)).toBe(connections),
);

test("reads the limit of files that the kernel reports", () => {
  const limits = "Max processes   1 2 processes\nMax open files            256    524288   files\n";
  expect(filesMaxOf(limits)).toBe(256);
  expect(filesMaxOf("Max open files   unlimited   unlimited   files")).toBeNull();
});

test.runIf(process.platform === "linux")(
  "an agent that may open 128 files survives 400 idle connections and serves both doors",
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "few-files-"));
    const edge = await FakeEdge.listen();
    const env = {
      ...process.env,
      EDGE_URL: edge.url,
      BOX_NAME: "b",
      OLLAMA_HOST: simulated.url,
      STATE_DIR: folder,
      NVIDIA_SMI: "nvidia-smi",
      LOG_FORMAT: "json",
    };
    buildOnce();
    const limited = 'ulimit -n 128 && exec "$0" "$1" --listen 0';
    const agent = spawn("sh", ["-c", limited, process.execPath, AGENT], { env });
    let log = "";
    for (const stream of [agent.stdout, agent.stderr])
      stream.setEncoding("utf8").on("data", (text: string) => {
        log += text;
      });
    try {
      const address = await eventually(async () => /"address":"([^"]+)"/.exec(log)?.[1]);
      const url = `http://${address}`;
      await eventually(
        async () => edge.readings.length > 0,
        () => log,
      );
      const idle = open(url, 400);
      await eventually(async () => closedOf(idle) === 400 - 32);
      const readings = edge.readings.length;
      const id = crypto.randomUUID();
      edge.open(id); // it loads a model, which is worth readings
      await edge.received(FrameType.end, id);
      for (const socket of idle) socket.destroy();
      const answered = async () => (await fetch(`${url}/api/version`).catch(() => null))?.status;
      await eventually(async () => (await answered()) === 200);
      await eventually(async () => edge.readings.length > readings);
      expect(log).not.toMatch(/EMFILE/);
      expect(log.match(/listener_full/g)).toHaveLength(1);
      expect(agent.exitCode).toBeNull();
    } finally {
      agent.kill("SIGKILL");
      await once(agent, "close");
      await edge[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    }
  },
);
