import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
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

function request(
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
    body: body === null ? null : [body],
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

test("sends Ollama a local Host, a length, and only the forwarded headers", async () => {
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
  await request(client, bytes("{}"), secret).outcome;
  expect(seen).toEqual({
    host: "localhost:11434",
    "content-type": "application/json",
    "content-length": "2",
    connection: "keep-alive",
  });
});

test("sends a header in any script as UTF-8, without control characters", async () => {
  let seen = "";
  const { client } = await ollama((request, response) => {
    seen = Buffer.from(request.headers["user-agent"] ?? "", "latin1").toString();
    request.resume().on("end", () => response.end("ok"));
  });
  expect(
    await request(client, bytes("{}"), [["user-agent", "caf\u00e9 \u2603 a\u0001b\r\n"]]).outcome,
  ).toMatchObject({ text: "ok" });
  expect(seen).toBe("caf\u00e9 \u2603 ab");
});

test("returns a redirect instead of following it", async () => {
  let requests = 0;
  const { client } = await ollama((_, response) => {
    requests++;
    response.writeHead(307, { location: "http://169.254.169.254/" }).end();
  });
  expect(await request(client, bytes("{}")).outcome).toMatchObject({ status: 307, error: null });
  expect(requests).toBe(1);
});

test("keeps a connection for the next request, and silently replaces one that broke", async () => {
  const { client, sockets } = await ollama((request, response) =>
    request.resume().on("end", () => response.end("ok")),
  );
  await request(client, bytes("1")).outcome;
  await request(client, bytes("2")).outcome;
  expect(sockets.size).toBe(1);
  // Ollama closes the connection just as the next request is sent.
  const next = request(client, bytes("3"));
  for (const socket of sockets) socket.resetAndDestroy();
  expect(await next.outcome).toMatchObject({ text: "ok", error: null });
});

test("reports an answer that breaks off as an error after its head", async () => {
  const { client } = await ollama((request, response) => {
    request.resume();
    response.writeHead(200);
    response.write("half", () => request.socket.resetAndDestroy());
  });
  const { status, text, error, hadHead } = await request(client, bytes("{}")).outcome;
  expect({ status, text, hadHead }).toEqual({ status: 200, text: "half", hadHead: true });
  expect(error).not.toBeNull();
});

test("accepts an answer before the whole body was sent, ignores later writes, and closes the connection", async () => {
  const { client, sockets } = await ollama((_, response) => response.writeHead(400).end("no"));
  const { exchange, outcome } = request(client, null, [["content-length", "1000000"]]);
  exchange.write(new Uint8Array(1_000));
  expect(await outcome).toMatchObject({ status: 400, text: "no", error: null });
  exchange.abort();
  exchange.write(new Uint8Array(1_000));
  exchange.end();
  await eventually(async () => sockets.size === 0);
});

test("closes the connection on an abort, which stops Ollama", async () => {
  const { client, sockets } = await ollama((request) => request.resume());
  const { exchange } = request(client, bytes("{}"));
  await eventually(async () => sockets.size === 1);
  exchange.abort();
  await eventually(async () => sockets.size === 0);
});

/** Stops an Ollama, as its restart does. Returns a function that starts it again. */
async function stopped(server: Server): Promise<() => void> {
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections();
  await closed;
  return () => void server.listen(port, "127.0.0.1");
}

test("waits for an Ollama that is restarted, and sends it the request once", async () => {
  const bodies: string[] = [];
  const { client, server, sockets } = await ollama((request, response) => {
    request.on("data", (chunk: Buffer) => bodies.push(chunk.toString()));
    request.on("end", () => response.end("ok"));
  });
  await request(client, bytes("before")).outcome;
  const start = await stopped(server);
  await eventually(async () => sockets.size === 0);
  const during = request(client, bytes("during"));
  let isOver = false;
  const outcome = during.outcome.finally(() => {
    isOver = true;
  });
  const left = request(client, bytes("left"));
  await expect(
    request(new OllamaClient(new URL("http://127.0.0.1:9")), bytes("x")).outcome,
  ).resolves.toMatchObject({ hadHead: false });
  expect(isOver).toBe(false);
  left.exchange.abort();
  start();
  expect(await outcome).toMatchObject({ text: "ok", error: null });
  expect(bodies).toEqual(["before", "during"]);
});

test("has an upload wait for an Ollama that is restarted, with its first part", async () => {
  const bodies: string[] = [];
  const { client, server } = await ollama((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      bodies.push(body);
      response.end("ok");
    });
  });
  await request(client, bytes("before")).outcome;
  const start = await stopped(server);
  const { exchange, outcome } = request(client, null);
  expect(exchange.write(bytes("first, "))).toBe(false);
  const drained = new Promise<void>((resolve) => exchange.onDrain(resolve));
  const over = outcome.then(({ error }) => error);
  expect(await Promise.race([over, drained, sleep(300, "waits")])).toBe("waits");
  start();
  await drained;
  exchange.write(bytes("second"));
  exchange.end();
  expect(await outcome).toMatchObject({ text: "ok", error: null });
  expect(bodies).toEqual(["before", "first, second"]);
});

test("sends no request again to an Ollama that was killed while it served it", async () => {
  let served = 0;
  const { client, server } = await ollama((request) => {
    if (served++ === 0) request.resume();
  });
  const { outcome } = request(client, bytes("{}"));
  await eventually(async () => served === 1);
  (await stopped(server))();
  expect(await outcome).toMatchObject({ hadHead: false, error: expect.any(String) });
  expect(served).toBe(1);
});
