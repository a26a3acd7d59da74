import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { WaitingConnections } from "../../../../agent/listen/waiting-connections.ts";
import { eventually } from "../../../support/stack.ts";

const HEAD = "GET / HTTP/1.1\r\nHost: localhost\r\n";

test("closes the connections that wait for a next call, but none whose call is open or on its way", async () => {
  const held: (() => void)[] = [];
  const accepted: Socket[] = [];
  const server = createServer((request, response) => {
    if (request.url === "/held") held.push(() => response.end("held"));
    else response.end("answer");
  });
  server.on("connection", (socket) => accepted.push(socket));
  onTestFinished(() => void [server.close(), server.closeAllConnections()]);
  const waiting = new WaitingConnections(server);
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;

  /** Opens a connection, sends this, and waits until the server has read it. */
  const caller = async (text: string, answers: number) => {
    const socket = connect(port, "127.0.0.1");
    let received = "";
    socket.setEncoding("utf8").on("data", (part: string) => {
      received += part;
    });
    await eventually(async () => accepted.length > callers.length);
    const accepting = accepted.at(-1);
    const send = async (more: string) => {
      const read = (accepting?.bytesRead ?? 0) + more.length;
      socket.write(more);
      await eventually(async () => accepting?.bytesRead === read);
    };
    const count = () => received.split("HTTP/1.1 200").length - 1;
    if (text !== "") await send(text);
    await eventually(async () => count() === answers);
    return { socket, send, count };
  };
  const callers: Awaited<ReturnType<typeof caller>>[] = [];
  for (const [text, answers] of [
    [`${HEAD}\r\n`, 1],
    ["", 0],
    [HEAD, 0],
    [`${HEAD}\r\n`, 1],
    ["GET /held HTTP/1.1\r\nHost: localhost\r\n\r\n", 0],
  ] as const)
    callers.push(await caller(text, answers));
  const [idle, silent, begun, next, open] = callers;
  await next?.send(HEAD);
  await eventually(async () => held.length === 1);

  waiting.close();
  await eventually(async () => idle?.socket.readableEnded || idle?.socket.destroyed);
  await silent?.send(`${HEAD}\r\n`);
  await begun?.send("\r\n");
  await next?.send("\r\n");
  for (const finish of held) finish();
  const counts = () => [silent, begun, next, open].map((each) => each?.count());
  await eventually(async () => counts().join() === "1,1,2,1");
  expect(counts()).toEqual([1, 1, 2, 1]);
});
