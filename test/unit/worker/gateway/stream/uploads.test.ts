/** A large upload between the two ends of a stream, to an Ollama that takes it slowly. */
import { expect, test } from "vitest";
import { AgentStreamCore } from "../../../../../agent/tunnel/stream-core.ts";
import { decodeFrames, encodeFrames, type Frame } from "../../../../../protocol/frames.ts";
import { DATA_BYTES_MAX, WINDOW_BYTES } from "../../../../../protocol/limits.ts";
import type { Open } from "../../../../../protocol/messages.ts";
import type { EdgeStreamActions } from "../../../../../worker/gateway/stream/actions.ts";
import { EdgeStreamCore } from "../../../../../worker/gateway/stream/edge-stream-core.ts";
import { newPulse } from "../../../../../worker/gateway/stream/pulse.ts";
import { CHAT_OPEN } from "../../../../support/chat-open.ts";

const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const PATH = `/api/blobs/sha256:${"0".repeat(64)}`;
const OPEN: Open = {
  ...CHAT_OPEN,
  path: PATH,
  endpoint: "/api/blobs/:digest",
  model: null,
  stream: false,
};
const UPLOAD_BYTES = 200 * 1024 * 1024;
/** Parts that Ollama takes between two cuts of the tunnel. */
const PARTS_PER_CUT = 777;

/** Carries an upload until nothing moves any more. Ollama takes a part only when nothing else moves. */
class Carried {
  readonly edge = new EdgeStreamCore(
    { id: ID, box: "b", open: OPEN },
    "streamed",
    newPulse(),
    () => 0.5,
  );
  readonly agent = new AgentStreamCore(ID, true, { stream: false });
  readonly toEdge: Frame[] = [];
  readonly toAgent: Frame[] = [];
  /** Parts that Ollama was given and has not taken. */
  readonly parts: number[] = [];
  readBytes = 0;
  takenBytes = 0;
  messages = 0;
  hasEnded = false;
  isUp = true;

  edgeDid({ frames, readsBody }: EdgeStreamActions): void {
    if (frames.length > 0) this.messages++;
    if (this.isUp)
      this.toAgent.push(...(frames.length > 0 ? decodeFrames(encodeFrames(frames)) : []));
    if (!readsBody) return;
    const bytes = Math.min(DATA_BYTES_MAX, UPLOAD_BYTES - this.readBytes);
    this.readBytes += bytes;
    this.edgeDid(this.edge.body(bytes === 0 ? null : new Uint8Array(bytes)));
  }

  agentDid({ frames, write, endsBody }: ReturnType<AgentStreamCore["received"]>): void {
    if (this.isUp) this.toEdge.push(...frames);
    if (write !== null) this.parts.push(write.length);
    if (endsBody) this.hasEnded = true;
  }

  carry(): void {
    for (;;) {
      const down = this.toAgent.shift();
      if (down !== undefined) this.agentDid(this.agent.received(down));
      const up = this.toEdge.shift();
      if (up !== undefined) this.edgeDid(this.edge.received(encodeFrames([up]), 0));
      if (down === undefined && up === undefined) return;
    }
  }

  /** Ollama takes the oldest part. */
  take(): void {
    this.takenBytes += this.parts.shift() ?? 0;
    this.agentDid(this.agent.bodyTaken());
  }

  /** The tunnel is away while Ollama takes a part, so its ACK is lost. */
  cut(): void {
    this.isUp = false;
    this.edgeDid(this.edge.lost(0));
    this.agent.detach(0);
    this.take();
    this.isUp = true;
    this.edgeDid(this.edge.attached(0));
  }
}

test.each([
  ["", false],
  [", though the tunnel is cut again and again", true],
])("keeps at most a window and one chunk of an upload of 200 MiB in memory%s", (_how, isCut) => {
  const upload = new Carried();
  upload.edgeDid(upload.edge.begin(0, upload.edge.open()));
  upload.carry();
  let most = 0;
  let mostKept = 0;
  for (let turn = 1; upload.parts.length > 0; turn++) {
    most = Math.max(most, upload.readBytes - upload.takenBytes);
    mostKept = Math.max(mostKept, upload.edge.observed.request);
    if (isCut && turn % PARTS_PER_CUT === 0) upload.cut();
    else upload.take();
    upload.carry();
  }
  expect(upload.hasEnded).toBe(true);
  expect([upload.readBytes, upload.takenBytes]).toEqual([UPLOAD_BYTES, UPLOAD_BYTES]);
  // The window, and the chunk that is read ahead.
  expect(most).toBe(WINDOW_BYTES + DATA_BYTES_MAX);
  expect(mostKept).toBeLessThanOrEqual(WINDOW_BYTES + DATA_BYTES_MAX);
  // The OPEN brings no bytes and is not acknowledged alone.
  if (!isCut) expect(upload.messages).toBeLessThanOrEqual(UPLOAD_BYTES / DATA_BYTES_MAX + 2);
});
