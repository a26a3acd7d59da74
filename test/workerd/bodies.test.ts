/** JSON bodies at the edge: hostile ones are refused, and the rest passes as it was sent. */
import { expect, test } from "vitest";
import { API_BODY_BYTES_MAX, BODY_BYTES_MAX } from "../../protocol/limits.ts";
import { call } from "./calls.ts";

const MIB = 1024 * 1024;
/** Returns a body of this many bytes: the head, then the unit again and again. */
function filled(head: string, unit: string, bytes: number): Uint8Array {
  const body = Buffer.alloc(bytes, unit);
  body.write(head);
  return body;
}

const DOORS: [path: string, shape: (message: unknown) => unknown][] = [
  ["/ollama/api/chat", (message) => ({ error: message })],
  ["/ollama/api/create", (message) => ({ error: message })],
  ["/v1/chat/completions", (message) => ({ error: { message, type: "invalid_request_error" } })],
  ["/v1/messages", (message) => ({ error: { message, type: "invalid_request_error" } })],
  ["/api/chat", (message) => ({ error: { message, code: "bad_request" } })],
];

test.each(DOORS)("names the limit that a hostile body breaks on %s", async (path, shape) => {
  const bytesMax = path === "/ollama/api/chat" ? 16 * MIB : 2 * MIB;
  for (const [body, message] of [
    [filled("", "[", bytesMax), /nested more than 64 levels deep\. Send a flatter body/],
    [filled("", '{"x":', bytesMax), /nested more than 64 levels deep/],
    [filled('{"x":[', "[],", bytesMax), /more than 100000 arrays and objects\. Split it/],
  ] as const) {
    const answer = await call(path, { method: "POST", body });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject(shape(expect.stringMatching(message)) as object);
  }
});

test.each([
  ["/ollama/api/chat", BODY_BYTES_MAX],
  ["/api/chat", API_BODY_BYTES_MAX],
])(
  "%s refuses a body beyond the limit by its announced length and by its counted bytes",
  async (path, bytesMax) => {
    const piece = new Uint8Array(MIB);
    const pieces = bytesMax / MIB + 1;
    const announced = await call(path, { method: "POST", body: new Uint8Array(pieces * MIB) });
    expect(announced.status).toBe(413);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (sent++ < pieces) controller.enqueue(piece);
        else controller.close();
      },
    });
    expect((await call(path, { method: "POST", body: stream })).status).toBe(413);
  },
);
