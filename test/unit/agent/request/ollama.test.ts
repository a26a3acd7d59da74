import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type LocalExchange, OllamaClient } from "../../../../agent/request/ollama.ts";
import type { Headers } from "../../../../protocol/messages.ts";
import { eventually } from "../../../support/stack.ts";

const servers: Server[] = [];
const clients: OllamaClient[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function ollama(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ client: OllamaClient; server: Server; sockets: Set<Socket> }> {
  const server = createServer(handle);
  const sockets = new Set<Socket>();
  server.on("connection", (socket) =>
    sockets.add(socket.once("close", () => sockets.delete(socket))),
  );
  server.keepAliveTimeout = 0;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const client = new OllamaClient(
    new URL(`http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`),
  );
  servers.push(server);
  clients.push(client);
  return { client, server, sockets };
}

type Outcome = {
  status: number;
  headers: Headers;
  text: string;
  error: string | null;
  hadHead: boolean;
};

function ask(
  client: OllamaClient,
  body: Uint8Array | null,
  headers: Headers = [],
): { exchange: LocalExchange; outcome: Promise<Outcome> } {
  const outcome: Outcome = { status: 0, headers: [], text: "", error: null, hadHead: false };
  const done = Promise.withResolvers<Outcome>();
  const exchange = client.send({
    method: "POST",
    path: "/api/chat",
    headers,
    body,
    onHead: (status, head) => Object.assign(outcome, { status, headers: head }),
    onData: (chunk) => {
      outcome.text += chunk.toString();
    },
    onEnd: () => done.resolve(outcome),
    onError: (error, hadHead) => done.resolve({ ...outcome, error: error.message, hadHead }),
  });
  return { exchange, outcome: done.promise };
}
const bytes = (text: string) => new TextEncoder().encode(text);

test("what reaches Ollama has a local host, a length, and none of the headers that stay at the edge", async () => {
  let seen: IncomingMessage["headers"] = {};
  const { client } = await ollama((request, response) => {
    seen = request.headers;
    request.resume().on("end", () => response.end("ok"));
  });
  const secret: Headers = [
    ["authorization", "Bearer x"],
    ["cookie", "a"],
    ["origin", "https://evil"],
    ["host", "evil"],
    ["x-api-key", "k"],
    ["cf-ray", "1"],
    ["content-type", "application/json"],
  ];
  await ask(client, bytes("{}"), secret).outcome;
  expect(seen).toEqual({
    host: "localhost:11434",
    "content-type": "application/json",
    "content-length": "2",
    connection: "keep-alive",
  });
});

test("a header in any script, or with characters that no header has, reaches Ollama as bytes and harms nobody", async () => {
  let seen = "";
  const { client } = await ollama((request, response) => {
    seen = Buffer.from(request.headers["user-agent"] ?? "", "latin1").toString();
    request.resume().on("end", () => response.end("ok"));
  });
  expect(
    await ask(client, bytes("{}"), [["user-agent", "caf\u00e9 \u2603 a\u0001b\r\n"]]).outcome,
  ).toMatchObject({ text: "ok" });
  expect(seen).toBe("caf\u00e9 \u2603 ab");
});

test("a redirect is an answer, not an order", async () => {
  let requests = 0;
  const { client } = await ollama((_, response) => {
    requests++;
    response.writeHead(307, { location: "http://169.254.169.254/" }).end();
  });
  expect(await ask(client, bytes("{}")).outcome).toMatchObject({ status: 307, error: null });
  expect(requests).toBe(1);
});

test("a connection is kept for the next request, and one that broke meanwhile is replaced without a word", async () => {
  const { client, sockets } = await ollama((request, response) =>
    request.resume().on("end", () => response.end("ok")),
  );
  await ask(client, bytes("1")).outcome;
  await ask(client, bytes("2")).outcome;
  expect(sockets.size).toBe(1);
  // Ollama closes it just as the next request is on its way.
  const next = ask(client, bytes("3"));
  for (const socket of sockets) socket.resetAndDestroy();
  expect(await next.outcome).toMatchObject({ text: "ok", error: null });
});

test("an answer that breaks off is an error that says so", async () => {
  const { client } = await ollama((request, response) => {
    request.resume();
    response.writeHead(200);
    response.write("half", () => request.socket.resetAndDestroy());
  });
  const { status, text, error, hadHead } = await ask(client, bytes("{}")).outcome;
  expect({ status, text, hadHead }).toEqual({ status: 200, text: "half", hadHead: true });
  expect(error).not.toBeNull();
});

test("an answer that comes before the body was sent is taken; what is written after it harms nobody, and the connection goes", async () => {
  const { client, sockets } = await ollama((_, response) => response.writeHead(400).end("no"));
  const { exchange, outcome } = ask(client, null, [["content-length", "1000000"]]);
  exchange.write(new Uint8Array(1_000));
  expect(await outcome).toMatchObject({ status: 400, text: "no", error: null });
  exchange.abort();
  exchange.write(new Uint8Array(1_000));
  exchange.end();
  await eventually(async () => sockets.size === 0);
});

test("an abort takes the connection, so that Ollama stops", async () => {
  const { client, sockets } = await ollama((request) => request.resume());
  const { exchange } = ask(client, bytes("{}"));
  await eventually(async () => sockets.size === 1);
  exchange.abort();
  await eventually(async () => sockets.size === 0);
});
