/** Uploads at the edge: read as fast as the box takes them, in large frames, and not at all once refused. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { FrameType, streamFrame, tunnelFrame } from "../../protocol/frames.ts";
import { BODY_BYTES_MAX, DATA_BYTES_MAX, WINDOW_BYTES } from "../../protocol/limits.ts";
import { forgetBoxes } from "../../worker/gateway/known-fleet.ts";
import { call, eventually, textOf } from "./calls.ts";
import { FakeAgent } from "./fake-agent.ts";

const MIB = 1024 * 1024;
const BLOB = `/ollama/api/blobs/sha256:${"0".repeat(64)}`;
const JSON_PATH = "/ollama/api/chat";
/** The runtime's own buffers between a test and the Worker. */
const RUNTIME_BYTES = MIB;

/** A body that counts the bytes that were read of it. */
class CountedBody {
  readonly stream: ReadableStream<Uint8Array>;
  readBytes = 0;

  constructor(bytes: number, pieceBytes: number) {
    this.stream = new ReadableStream(
      {
        pull: (controller) => {
          if (this.readBytes >= bytes) return controller.close();
          this.readBytes += pieceBytes;
          controller.enqueue(new Uint8Array(pieceBytes));
        },
      },
      { highWaterMark: 0 },
    );
  }
}

test("sends an upload in full frames, and reads no more of it than a box has room for", async () => {
  forgetBoxes();
  const agent = await FakeAgent.connect("uploads");
  const body = new CountedBody(64 * MIB, 10_000);
  const headers = { "x-box": "uploads" };
  const answered = call(BLOB, { method: "POST", headers, body: body.stream });
  const { stream } = await agent.next(FrameType.open);
  const taken = async (bytes: number) => {
    for (let left = bytes; left > 0; left -= DATA_BYTES_MAX) {
      const { payload, seq } = await agent.next(FrameType.data);
      expect(payload.length).toBe(DATA_BYTES_MAX);
      last = seq;
    }
  };
  let last = 0;
  await taken(WINDOW_BYTES);
  const first = body.readBytes;
  expect(first).toBeLessThanOrEqual(WINDOW_BYTES + DATA_BYTES_MAX + RUNTIME_BYTES);
  agent.send(streamFrame(FrameType.ack, stream, last + 1));
  await taken(WINDOW_BYTES);
  expect(agent.frames.filter(({ type }) => type === FrameType.data)).toEqual([]);
  expect(body.readBytes).toBeLessThanOrEqual(2 * WINDOW_BYTES + DATA_BYTES_MAX + RUNTIME_BYTES);
  agent.answer(stream, 400, [["content-type", "application/json"]], '{"error":"x"}');
  expect(await textOf(await answered)).toBe('{"error":"x"}');
});

beforeAll(async () => {
  const agent = await FakeAgent.connect("drains");
  agent.send(tunnelFrame(FrameType.drain));
  const box = env.BOX.getByName("drains");
  await eventually(async () => ((await box.status()).isDraining ? true : undefined));
  forgetBoxes();
});

test.each([
  [503, "its box takes no more requests", BLOB, { "x-box": "drains" }, 0],
  [404, "its box is unknown", BLOB, { "x-box": "nobody" }, 0],
  [400, "its box has no valid name", BLOB, { "x-box": "no box" }, 0],
  [415, "it is compressed", JSON_PATH, { "content-encoding": "gzip" }, 0],
  [413, "its JSON is too long", JSON_PATH, {}, BODY_BYTES_MAX],
] as const)(
  "answers %s and reads no more of an upload once %s",
  async (status, _why, path, headers, bytesMax) => {
    const body = new CountedBody(200 * MIB, 64 * 1024);
    const answer = await call(path, { method: "POST", headers, body: body.stream });
    expect([answer.status, await textOf(answer)]).toEqual([
      status,
      expect.stringContaining("error"),
    ]);
    expect(body.readBytes).toBeLessThanOrEqual(bytesMax + RUNTIME_BYTES);
  },
);
