/** The address that an agent dials. */
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, test } from "vitest";
import { WebSocketServer } from "ws";
import { dial, needsToJoinAgain } from "../../../../agent/tunnel/dial.ts";
import { SUBPROTOCOL } from "../../../../protocol/limits.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

test("reaches a Worker through its Unix socket, and names the host of its URL", async () => {
  const edgeSocket = join(temporaryFolder("dial-"), "worker");
  const server = createServer();
  const sockets = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(edgeSocket, resolve));
  const arrived = new Promise((resolve) =>
    sockets.on("connection", (socket, { url, headers }) => {
      resolve([socket.protocol, url, headers.host, headers.authorization]);
    }),
  );
  // Nobody listens on this port.
  const edgeUrl = new URL("http://127.0.0.1:9");
  const socket = dial({ edgeUrl, edgeSocket }, "b", "Bearer secret", 5_000);
  await once(socket, "open");
  expect(await arrived).toEqual([
    SUBPROTOCOL,
    "/agent/connect?box=b",
    "127.0.0.1:9",
    "Bearer secret",
  ]);
  socket.terminate();
  sockets.close();
  await new Promise((resolve) => server.close(resolve));
});

test.each([
  ["box_removed", true],
  ["certificate_ended", true],
  ["certificate_unknown", true],
  ["clock_off", false],
  ["registry_silent", false],
])("a refusal with the code %s needs another join code: %s", (code, needs) => {
  expect(needsToJoinAgain(JSON.stringify({ error: { code, message: "no" } }))).toBe(needs);
  expect(needsToJoinAgain("<html>")).toBe(false);
});
