/** `npm start` when its Worker is killed in the middle of an answer. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../../local/edge.ts";
import { Child } from "../../local/processes.ts";
import { startReaper } from "../../local/reaping.ts";
import { Logs } from "../../protocol/api/logs.ts";
import { startSimulatedOllama } from "../../simulated/ollama.ts";
import { eventually, freePort } from "../support/stack.ts";

const STOP_MS = 15_000;
/** Words that the agent has and its caller not yet, when the tunnel is lost: a few flushes of it. */
const WORDS_UNDER_WAY = 30;

test("breaks the caller's answer off, states what happened, and records it truly at the next start", async () => {
  const stateDir = mkdtempSync(join(tmpdir(), "killed-test-"));
  const port = await freePort();
  const ollama = await startSimulatedOllama({
    models: ["llama3.2:latest"],
    tokenMs: 20,
    loadMsPerGb: 0,
  });
  const reaper = startReaper();
  const env = { STATE_DIR: stateDir, PORT: String(port), OLLAMA_HOST: ollama.url };
  const children: Child[] = [];
  const start = async () => {
    const lines: string[] = [];
    const { npm_lifecycle_event: _, ...own } = process.env;
    const child = new Child(
      {
        name: "start",
        args: [join(ROOT, "local/start.ts")],
        env: { ...own, ...env },
        cwd: ROOT,
        onLine: (line) => lines.push(line),
      },
      reaper,
    );
    children.push(child);
    await eventually(
      async () => lines.some((line) => line.startsWith("ready ")),
      () => lines.join("\n"),
    );
    return { child, lines };
  };
  try {
    const first = await start();
    const caller = callerOf(port);
    await eventually(async () => caller.words().length > 20);
    process.kill(workerdOf(stateDir), "SIGKILL");
    expect(await caller.ended).toBe("ECONNRESET");
    const { waitedMs } = caller;
    expect(await first.child.ended).toMatchObject({ code: 1 });
    const printed = first.lines.join("\n");
    expect(printed).toContain("The worker was killed by SIGKILL");
    expect(printed).toContain(`Their records are kept in ${stateDir}`);
    expect(printed).not.toContain("EDGE_URL");

    const startedAgainMs = performance.now();
    await start();
    const entry = await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/stats/logs`);
      return Logs.parse(await answer.json()).logs.find(({ id }) => id === caller.id());
    });
    expect(entry).toMatchObject({ status: "error", http_status: 200, failed_at: "tunnel" });
    // It ended when the Worker was killed, and not when the next one counted it.
    expect(entry.latency_ms).toBeGreaterThan(waitedMs() / 2);
    expect(entry.latency_ms).toBeLessThan(startedAgainMs - caller.startMs);
    const recorded = entry.response ?? "";
    const received = caller.words();
    expect(recorded.startsWith(received.slice(0, received.length / 2))).toBe(true);
    const [mine, theirs] = [recorded, received].map((text) => text.split(/\s+/).length);
    expect(Math.abs((mine ?? 0) - (theirs ?? 0))).toBeLessThan(WORDS_UNDER_WAY);
  } finally {
    await Promise.all(children.map((child) => child.stop(STOP_MS)));
    await ollama.close();
    reaper.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
});

/** A caller with a socket of its own, so that the way in which its answer ends can be seen. */
function callerOf(port: number) {
  const body = JSON.stringify({
    model: "llama3.2",
    prompt: "Hi",
    options: { num_predict: 20_000 },
  });
  const socket = connect(port, "127.0.0.1");
  const startMs = performance.now();
  let [text, endMs] = ["", 0];
  const ended = new Promise<string>((resolve) => {
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString();
      endMs = performance.now();
    });
    socket.on("end", () => resolve("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });
  socket.write(
    `POST /ollama/api/generate HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  return {
    startMs,
    ended,
    id: () => /^x-request-id: (\S+)/im.exec(text)?.[1],
    words: () =>
      Array.from(text.matchAll(/"response":("(?:[^"\\]|\\.)*")/g), ([, json]) =>
        String(JSON.parse(json ?? '""')),
      ).join(""),
    /** From the request until the last byte. */
    waitedMs: () => endMs - startMs,
  };
}

/** Returns the process of the Worker that this start created. */
function workerdOf(stateDir: string): number {
  const found = readdirSync("/proc").find((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      return command.includes("workerd") && command.includes(stateDir);
    } catch {
      return false; // the process has ended
    }
  });
  if (found === undefined) throw new Error("no workerd is running");
  return Number(found);
}
