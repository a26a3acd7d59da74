/** Reading the status over a real socket, and the reasons why it cannot be read. */
import { chmodSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener, request } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { acquireStateLock } from "../../../../agent/state/lock.ts";
import { StatusSocket, statusSocketOf } from "../../../../agent/status/status-socket.ts";
import {
  readStatus,
  stateFoldersOf,
  statusFailureOf,
} from "../../../../agent/terminal/read-status.ts";
import { eventually } from "../../../support/stack.ts";
import { temporaryFolder } from "../../../support/temporary.ts";
import { BUSY } from "./shown-status.ts";

type Logged = [event: string, fields: Record<string, unknown>];

function served(folder: string, status = () => BUSY) {
  const logged: Logged[] = [];
  const socket = new StatusSocket(folder, status, (_level, event, fields = {}) =>
    logged.push([event, fields]),
  );
  socket.open();
  onTestFinished(() => socket.close());
  return { socket, logged };
}

/** Another program at the place of the socket. */
async function answering(folder: string, listener: RequestListener): Promise<void> {
  const server = createServer(listener).listen(statusSocketOf(folder));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  await eventually(async () => server.listening);
}

test("reads the status, with texts that are safe to print", async () => {
  const folder = temporaryFolder("status-");
  served(folder, () => ({ ...BUSY, box: "a\x1b[2Jb" }));
  expect(await readStatus([folder])).toEqual({ ...BUSY, box: "a\ufffd[2Jb" });
});

test("lets only the user of the agent connect, and removes the socket at the end", async () => {
  const folder = temporaryFolder("status-");
  chmodSync(folder, 0o755);
  const before = process.umask(0);
  const { socket } = served(folder);
  process.umask(before);
  expect(statSync(statusSocketOf(folder)).mode & 0o777).toBe(0o600);
  socket.close();
  await expect(readStatus([folder])).rejects.toThrow(/No agent runs in/);
});

test("takes the place of a socket that a killed agent left", async () => {
  const folder = temporaryFolder("status-");
  writeFileSync(statusSocketOf(folder), "");
  served(folder);
  expect((await readStatus([folder])).box).toBe("atlas");
});

test("logs a state folder whose path is too long for a socket, and names it", async () => {
  const folder = join(temporaryFolder("status-"), "x".repeat(100));
  mkdirSync(folder);
  const { logged } = served(folder);
  expect(logged).toMatchObject([["status_unavailable", { why: expect.stringContaining("103") }]]);
  await expect(readStatus([folder])).rejects.toThrow(/too long for a socket\. Set STATE_DIR/);
});

test("names an agent that runs without a socket", async () => {
  const folder = temporaryFolder("status-");
  const lock = acquireStateLock(folder);
  onTestFinished(() => lock.release());
  await expect(readStatus([folder])).rejects.toThrow(
    new RegExp(`\\(process ${process.pid}\\) has no status socket: it is older`),
  );
});

test.each<[name: string, listener: RequestListener, message: RegExp]>([
  ["another form", (_, answer) => answer.end(JSON.stringify({ box: 1 })), /one of them is older/],
  ["no JSON", (_, answer) => answer.end("<html>"), /one of them is older/],
  ["404", (_, answer) => answer.writeHead(404).end("{}"), /one of them is older/],
])("reports an agent that answers with %s", async (_name, listener, message) => {
  const folder = temporaryFolder("status-");
  await answering(folder, listener);
  await expect(readStatus([folder])).rejects.toThrow(message);
});

test("ignores fields of a newer agent", async () => {
  const folder = temporaryFolder("status-");
  await answering(folder, (_, answer) => answer.end(JSON.stringify({ ...BUSY, newer: 1 })));
  expect(await readStatus([folder])).toEqual(BUSY);
});

test("serves the status only", async () => {
  const folder = temporaryFolder("status-");
  served(folder);
  const status = await new Promise((resolve) => {
    request({ socketPath: statusSocketOf(folder), path: "/other" }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).end();
  });
  expect(status).toBe(404);
});

test.each([
  ["EACCES", /belongs to another user\. Run this command as that user, or with sudo/],
  ["ECONNREFUSED", /its last one was killed and left its socket\.\nStart it/],
  ["ABORT_ERR", /does not answer within 3 s: it is suspended or overloaded/],
  ["ENOTSOCK", /cannot be read: the message/],
])("states what to do after %s", (code, message) => {
  expect(statusFailureOf(Object.assign(new Error("the message"), { code }), "/folder")).toMatch(
    message,
  );
});

test("looks where agents keep their state, and only in STATE_DIR if that is set", async () => {
  expect(stateFoldersOf("/state")).toEqual(["/state"]);
  expect(stateFoldersOf(undefined)).toContain("/var/lib/ollama-edge-agent");
  const [missing, empty, used] = ["missing", "empty", "used"].map((name) =>
    join(temporaryFolder("status-"), name),
  ) as [string, string, string];
  await expect(readStatus([missing])).rejects.toThrow(/no state folder at .*missing/);
  for (const folder of [empty, used]) mkdirSync(folder);
  served(used);
  expect((await readStatus([missing, empty, used])).box).toBe("atlas");
});

test("has a pipe of its own for each state folder on Windows", () => {
  const pipe = statusSocketOf("C:\\state", "win32");
  expect(pipe).toMatch(/^\\\\\.\\pipe\\ollama-edge-agent-[0-9a-f]{16}$/);
  expect(statusSocketOf("c:\\STATE", "win32")).toBe(pipe);
  expect(statusSocketOf("C:\\other", "win32")).not.toBe(pipe);
});
