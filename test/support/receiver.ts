/**
 * A receiver of messages, for the tests that run in workerd: an HTTP server whose paths behave as their
 * name demands, and which returns what each of them got.
 *
 * `/<behaviour>/<name>` receives; `GET /received/<name>` returns the requests as JSON.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import type { TestProject } from "vitest/node";
import type { Received } from "./received.ts";

type Respond = (response: http.ServerResponse, attempt: number, body: string) => void;

const answer =
  (status: number, headers: Record<string, string> = {}) =>
  (response: http.ServerResponse) =>
    void response.writeHead(status, headers).end("ok");

/** A text that {@link BEHAVIOURS} `picky` refuses. */
const REFUSED = "poison";

const partialSuccess = (rejected: object) => (response: http.ServerResponse) =>
  void response.end(JSON.stringify({ partialSuccess: { ...rejected, errorMessage: "no" } }));

/** @param respond  by the number of the attempt with this id, from 1 */
const afterwards =
  (fault: Respond, attempts: number): Respond =>
  (response, attempt, body) =>
    attempt <= attempts ? fault(response, attempt, body) : answer(200)(response);

/** Each accepts the message in the end, except for the last that refuse. */
const BEHAVIOURS: Record<string, Respond> = {
  works: answer(200),
  fails: afterwards(answer(503), 3),
  limits: afterwards(answer(429, { "retry-after": "90" }), 1),
  hangs: afterwards(() => {}, 1),
  /** Takes the message and closes the connection: the sender cannot know that it arrived. */
  breaks: afterwards((response) => response.socket?.destroy(), 2),
  redirects: afterwards(answer(302, { location: "http://169.254.169.254/" }), 1),
  /** As a collector refuses a whole request for one faulty part. */
  picky: (response, _, body) => answer(body.includes(REFUSED) ? 400 : 200)(response),
  partly: partialSuccess({ rejectedSpans: "2" }),
  warns: partialSuccess({ rejectedDataPoints: 0 }),
  forbids: answer(401),
  /** Sends a second answer that nobody requested. */
  twice: (response) => {
    const [first, second] = ["HTTP/1.1 200 OK", "HTTP/1.1 500 Internal Server Error"];
    response.socket?.end(
      `${first}\r\ncontent-length: 2\r\n\r\nok${second}\r\ncontent-length: 0\r\n\r\n`,
    );
  },
};

export default async function setup(project: TestProject): Promise<() => void> {
  const received = new Map<string, Received[]>();
  const server = http.createServer((request, response) => {
    const [, behaviour = "", name = ""] = (request.url ?? "").split("/");
    const got = received.get(name) ?? [];
    if (behaviour === "received") return void response.end(JSON.stringify(got));
    received.set(name, got);
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const headers = Object.fromEntries(
        Object.entries(request.headers).map(([key, value]) => [key, String(value)]),
      );
      const body = Buffer.concat(chunks).toString();
      got.push({ headers, body });
      const id = headers["webhook-id"];
      const attempt = got.filter((each) => each.headers["webhook-id"] === id).length;
      (BEHAVIOURS[behaviour] ?? answer(404))(response, attempt, body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  project.provide("receiver", `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  return () => {
    server.closeAllConnections();
    server.close();
  };
}
