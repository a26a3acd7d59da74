/**
 * Callers that send their request one byte a second, in a process of their own: those that are
 * measured beside them must not wait for their timers.
 *
 * The first message is the number of sockets and their port, answered once all are open. The second
 * is answered with how many still are, and ends them.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export type Dribbling = { sockets: number; port: number };

const DRIBBLE_MS = 1_000;
const HEAD = `POST /ollama/api/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ${"x".repeat(1_000)}`;
const BEGUN = 40;

let open: Socket[] = [];

async function begin({ sockets, port }: Dribbling): Promise<number> {
  open = Array.from({ length: sockets }, () => connect(port, "127.0.0.1"));
  for (const socket of open) socket.on("error", () => {});
  await Promise.all(open.map((socket) => once(socket, "connect")));
  for (const socket of open) socket.write(HEAD.slice(0, BEGUN));
  let at = BEGUN;
  const timer = setInterval(() => {
    for (const socket of open) socket.write(HEAD.slice(at, at + 1));
    at++;
  }, DRIBBLE_MS);
  timer.unref();
  return open.length;
}

function end(): number {
  const alive = open.filter(({ destroyed }) => !destroyed).length;
  for (const socket of open) socket.destroy();
  return alive;
}

process.on("message", (message: Partial<Dribbling>) => {
  const { sockets, port } = message;
  if (sockets === undefined || port === undefined) process.send?.({ result: end() });
  else void begin({ sockets, port }).then((result) => process.send?.({ result }));
});
process.on("disconnect", () => process.exit(0));
