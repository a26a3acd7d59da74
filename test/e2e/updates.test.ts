/** Updates of the agent with real files and processes: whatever is broken or killed, an agent serves. */
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { readdirSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, test } from "vitest";
import { digestOf } from "../../agent/update/update-folder.ts";
import { FrameType, NO_PAYLOAD } from "../../protocol/frames.ts";
import { isAlive } from "../support/is-alive.ts";
import { builtAgent, UpdatedBox } from "../support/updated-box.ts";

const OLD = "0.0.1";
const NEW = "0.0.2";

let old: Uint8Array;
let next: Uint8Array;

beforeAll(async () => {
  [old, next] = await Promise.all([builtAgent(OLD), builtAgent(NEW)]);
});

const chat = (tokens: number) =>
  JSON.stringify({
    model: "m",
    messages: [{ role: "user", content: "hello" }],
    options: { num_predict: tokens },
  });

/** Ends a stream as a caller that has read everything does. */
async function readToEnd({ edge }: UpdatedBox, id: string): Promise<void> {
  const end = await edge.received(FrameType.end, id);
  edge.send({ type: FrameType.ack, stream: id, seq: end.seq + 1, payload: NO_PAYLOAD });
}

test.concurrent("an agent finishes its open request, runs the new file, and still does after a restart", async ({
  expect,
}) => {
  await using box = await UpdatedBox.start(old);
  expect(box.hello().takes_updates).toBe("yes");
  const id = randomUUID();
  box.edge.open(id, {}, chat(100));
  await box.edge.received(FrameType.head, id);
  box.offer(next, NEW);
  await box.logged("update_downloaded");
  expect(box.report()).toMatchObject({ state: "updating", version: NEW });
  await readToEnd(box, id);
  expect(await box.edge.recorded(id)).toMatchObject({ status: "success", completion_tokens: 100 });
  await box.connected(NEW);
  expect(await box.reported("updated")).toMatchObject({ version: NEW, reason: null });
  await box.restart();
  await box.connected(NEW);
  expect(box.report()).toMatchObject({ state: "updated" });
  // Another installed file ends the updates of this one.
  utimesSync(box.installed, new Date(), new Date(Date.now() - 60_000));
  await box.restart();
  await box.connected(OLD);
  const third = await builtAgent("0.0.3");
  box.offer(next, NEW);
  await box.connected(NEW);
  await box.reported("updated");
  box.offer(third, "0.0.3");
  await box.connected("0.0.3");
  await box.reported("updated");
  const agents = readdirSync(join(box.stateDir, "updates")).filter((name) => name.endsWith(".mjs"));
  expect(agents).toHaveLength(2);
});

test.concurrent("an agent is updated to another build of its own version", async ({ expect }) => {
  await using box = await UpdatedBox.start(old);
  expect(box.hello().agent_sha256).toBe(digestOf(old));
  const build = Buffer.concat([old, Buffer.from("// another build\n")]);
  box.offer(build, OLD);
  await box.connected(OLD, box.edge.hellos.length);
  expect(await box.reported("updated")).toMatchObject({ version: OLD, reason: null });
  expect(box.hello().agent_sha256).toBe(digestOf(build));
});

describe("an offer that the agent must not follow changes nothing", () => {
  const other = generateKeyPairSync("ed25519").privateKey;
  const text = (value: string) => new TextEncoder().encode(value);
  const cases: [string, (box: UpdatedBox) => void, string][] = [
    ["signed with another key", (box) => box.offer(next, NEW, { key: other }), "not signed"],
    ["for another process", (box) => box.offer(next, NEW, { bootId: randomUUID() }), "not signed"],
    [
      "another file",
      (box) => box.offer(next, NEW, { served: next.map((byte) => byte ^ 1) }),
      "not the offered one",
    ],
    [
      "a truncated file",
      (box) => box.offer(next, NEW, { served: next.subarray(0, 5_000) }),
      "ended after 5000 of",
    ],
    [
      "a longer file",
      (box) => box.offer(next.subarray(0, 5_000), NEW, { served: next }),
      "larger than",
    ],
    ["no file", (box) => box.offer(next, NEW, { served: null }), "HTTP 404"],
    [
      "a file that does not run",
      (box) => box.offer(text("const ="), NEW),
      "does not run here: SyntaxError",
    ],
    ["a file of another version", (box) => box.offer(next, "0.0.9"), "does not run here: 0.0.2"],
    ["the file that runs", (box) => box.offer(old, OLD), "runs this file already"],
  ];
  test.concurrent("whatever is wrong with it", async ({ expect }) => {
    await using box = await UpdatedBox.start(old);
    const { boot_id } = box.hello();
    for (const [name, offer, reason] of cases) {
      const before = box.lines.length;
      offer(box);
      await box.logged("update_failed", cases.findIndex(([each]) => each === name) + 1);
      await expect.poll(box.report).toMatchObject({
        state: "failed",
        reason: expect.stringContaining(reason),
      });
      if (reason === "not signed")
        expect(box.lines.slice(before).join("\n")).not.toContain("update_offered");
    }
    expect(box.hello().boot_id).toBe(boot_id);
    // The good one still works.
    box.offer(next, NEW);
    await box.connected(NEW);
  });
});

test.concurrent("an agent whose owner forbids updates takes none, and runs the installed file", async ({
  expect,
}) => {
  await using box = await UpdatedBox.start(old, { env: { UPDATES: "off" } });
  expect(box.hello().takes_updates).toBe("forbidden");
  const before = box.edge.hellos.length;
  box.offer(next, NEW);
  // UPDATE is an error then: the tunnel is closed, and dialled again.
  await box.connected(OLD, before);
  expect(box.lines.join("\n")).not.toContain("update_downloaded");
});

test.concurrent.for([
  ["crashes", "process.exit(3);", "it ended with code 3"],
  [
    "does not connect",
    "await new Promise(() => setInterval(() => {}, 1e3));",
    "it did not connect within",
  ],
  ["hangs", "for (;;);", "it did not connect within"],
] as const)("a new agent that %s is rolled back", async ([, flaw, reason], { expect }) => {
  const broken = await builtAgent(NEW, flaw);
  await using box = await UpdatedBox.start(old);
  box.offer(broken, NEW);
  await box.logged("update_started");
  await box.connected(OLD, box.edge.hellos.length);
  expect(await box.reported("rolled_back")).toMatchObject({
    version: NEW,
    reason: expect.stringContaining(reason),
  });
  const id = randomUUID();
  box.edge.open(id, {}, chat(3));
  await readToEnd(box, id);
});

test.concurrent("a kill while a new agent hangs on trial brings the old one back, and ends the new one", async ({
  expect,
}) => {
  const broken = await builtAgent(NEW, "for (;;);");
  await using box = await UpdatedBox.start(old);
  box.offer(broken, NEW);
  await box.logged("update_started");
  const before = box.edge.hellos.length;
  const { pid } = JSON.parse(box.lines.find((line) => line.includes("update_started")) ?? "{}");
  box.kill();
  await box.connected(OLD, before);
  expect(await box.reported("rolled_back")).toMatchObject({
    reason: expect.stringContaining("interrupted"),
  });
  await expect.poll(() => isAlive(pid)).toBe(false);
});

test.concurrent.for(["update_downloaded", "draining", "update_started", "tunnel_up", "updated"])(
  "a kill after %s leaves a working agent, which is updated or can be again",
  async (event, { expect }) => {
    await using box = await UpdatedBox.start(old);
    const { hellos } = box.edge;
    const serves = async () => {
      const id = randomUUID();
      box.edge.open(id, {}, chat(3));
      await readToEnd(box, id);
    };
    box.offer(next, NEW);
    await box.logged(event, event === "tunnel_up" ? 2 : 1);
    const before = hellos.length;
    box.kill();
    await expect.poll(() => hellos.length).toBeGreaterThan(before);
    // Nobody has to do anything for an agent to serve.
    if ((await box.settled()) === "rolled_back") {
      await serves();
      expect(box.hello().agent_version).toBe(OLD);
      box.offer(next, NEW);
    }
    await box.connected(NEW);
    await box.reported("updated");
    await serves();
  },
);
