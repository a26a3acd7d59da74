/** The front of the local edge, between a caller and a server on a Unix socket. */
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import { Front } from "../../../local/front.ts";

const stack: { front: Front; server: Server; folder: string }[] = [];

afterEach(async () => {
  for (const { front, server, folder } of stack.splice(0)) {
    await front.close();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

/** Starts both, and connects a caller whose connection reaches the server. */
async function connected() {
  const folder = mkdtempSync(join(tmpdir(), "front-"));
  const accepted = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, accepted.resolve);
  const path = join(folder, "socket");
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const front = await Front.listen(0, path);
  stack.push({ front, server, folder });
  const caller = connect({ host: "127.0.0.1", port: front.port, allowHalfOpen: true });
  const worker = await accepted.promise;
  // A reset is an error event, also after the end of its test.
  for (const socket of [caller, worker]) socket.on("error", () => {});
  return { front, caller, worker };
}

/** Resolves to the way in which a connection ends. */
const endOf = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    socket.on("end", () => resolve("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  });

test.each(["end", "resetAndDestroy"] as const)(
  "closes the whole connection when a caller leaves with %s",
  async (leave) => {
    const { caller, worker } = await connected();
    worker.resume();
    caller.resume();
    const closed = new Promise((resolve) => caller.on("close", resolve));
    caller[leave]();
    await closed; // the front keeps no half of it
    const broken = new Promise((resolve) => worker.on("error", resolve));
    // The other direction is closed too: writing fails, as it would not after a mere FIN.
    const writing = setInterval(() => worker.write("x"), 5);
    expect(await broken).toMatchObject({ code: expect.stringMatching(/EPIPE|ECONNRESET/) });
    clearInterval(writing);
  },
);

test("passes many bytes both ways unchanged, and an end of the Worker as an end", async () => {
  const { caller, worker } = await connected();
  const sent = [randomBytes(3_000_000), randomBytes(5_000_000)] as const;
  let arrived = 0;
  const chunks: Buffer[] = [];
  worker.on("data", (bytes: Buffer) => {
    chunks.push(bytes);
    arrived += bytes.length;
    if (arrived === sent[0].length) worker.end(sent[1]);
  });
  caller.write(sent[0]);
  const received = await buffer(caller);
  expect(received.equals(sent[1])).toBe(true);
  expect(Buffer.concat(chunks).equals(sent[0])).toBe(true);
});

test("delivers a refusal to a caller that is still sending its body", async () => {
  const { caller, worker } = await connected();
  const received = buffer(caller);
  const sending = setInterval(() => caller.write(Buffer.alloc(65_536)), 1);
  await new Promise((resolve) => worker.once("data", resolve));
  worker.pause();
  worker.end("refused", () => setTimeout(() => worker.destroy(), 50));
  expect((await received).toString()).toBe("refused");
  clearInterval(sending);
  caller.end();
  await new Promise((resolve) => caller.once("close", resolve));
});

test("delivers a refusal to a caller that reads only after it has sent its whole body", async () => {
  const { caller, worker } = await connected();
  const { server } = stack.at(-1) as (typeof stack)[number];
  server.on("connection", (probe: Socket) => probe.end("HTTP/1.1 200 OK\r\n\r\n"));
  caller.pause();
  const sent = new Promise((resolve) => caller.write(Buffer.alloc(40_000_000), resolve));
  await new Promise((resolve) => worker.once("readable", resolve));
  worker.read(1_000);
  worker.write("refused", () => worker.destroy()); // with the rest unread, which is a reset
  await sent;
  expect((await buffer(caller)).toString()).toBe("refused");
});

test("stops reading from the Worker while a caller does not read", async () => {
  const { caller, worker } = await connected();
  caller.pause();
  const chunk = Buffer.alloc(65_536);
  let isFull = false;
  // Far more than the buffers of two sockets.
  for (let written = 0; !isFull && written < 256; written++) {
    worker.write(chunk);
    await sleep(1);
    isFull = worker.writableLength > 64 * chunk.length;
  }
  expect(isFull).toBe(true);
});

test("resets a caller when the Worker dies without an end", async () => {
  const folder = mkdtempSync(join(tmpdir(), "front-"));
  const front = await Front.listen(0, join(folder, "nobody"));
  const caller = connect({ host: "127.0.0.1", port: front.port });
  expect(await endOf(caller.resume())).toBe("ECONNRESET");
  await front.close();
  rmSync(folder, { recursive: true });
});

test("resets its callers when it closes, and frees the port", async () => {
  const { front, caller } = await connected();
  const { port } = front;
  const ended = endOf(caller.resume());
  await front.close();
  expect(await ended).toBe("ECONNRESET");
  const again = await Front.listen(port, "/nowhere");
  await expect(Front.listen(port, "/nowhere")).rejects.toMatchObject({ code: "EADDRINUSE" });
  await again.close();
});

test("resets the caller of a server that was killed, whose connections the system closes in order", async () => {
  const { caller, worker } = await connected();
  const { server } = stack.at(-1) as (typeof stack)[number];
  caller.write("request");
  await new Promise((resolve) => worker.once("data", resolve));
  const begun = new Promise((resolve) => caller.once("data", resolve));
  worker.write("the first part of an answer");
  await begun;
  const ended = endOf(caller);
  // The system has closed this connection, and the socket that listens only a moment later.
  const probed = new Promise<Socket>((resolve) => server.once("connection", resolve));
  worker.end();
  (await probed).destroy();
  server.close();
  expect(await ended).toBe("ECONNRESET");
});
