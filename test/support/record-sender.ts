/** An agent that only sends records: it greets the edge as its box, and delivers batches. */
import { WebSocket } from "ws";
import {
  decodeFrames,
  encodeFrames,
  FrameType,
  parsePayload,
  tunnelFrame,
} from "../../protocol/frames.ts";
import { SUBPROTOCOL } from "../../protocol/limits.ts";
import { Recorded } from "../../protocol/messages.ts";
import type { RequestRecord } from "../../protocol/records.ts";
import { helloOf } from "./records.ts";
import { eventually } from "./stack.ts";

/** The edge, and the agent as it presents itself. */
type Greeting = { port: number; box: string; agentId: string };

export class RecordSender {
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
  }

  /** @param onRecorded  called with the position of each batch that the edge acknowledges */
  static async connect(
    { port, box, agentId }: Greeting,
    onRecorded: (position: number) => void,
  ): Promise<RecordSender> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/agent/connect?box=${box}`, SUBPROTOCOL);
    let isWelcome = false;
    socket.on("error", () => {}); // the Worker was killed
    socket.on("open", () =>
      socket.send(
        encodeFrames([tunnelFrame(FrameType.hello, helloOf(box, { agent_id: agentId }))]),
      ),
    );
    socket.on("message", (data, isBinary) => {
      if (!isBinary) return;
      for (const frame of decodeFrames(data as Buffer)) {
        if (frame.type === FrameType.welcome) isWelcome = true;
        if (frame.type === FrameType.recorded)
          onRecorded(parsePayload(Recorded, frame.payload).position);
      }
    });
    await eventually(
      async () => isWelcome,
      () => `The edge does not welcome box ${box}.`,
    );
    return new RecordSender(socket);
  }

  send(position: number, records: readonly RequestRecord[]): void {
    if (records.length > 0)
      this.#socket.send(encodeFrames([tunnelFrame(FrameType.records, { position, records })]));
  }

  close(): void {
    this.#socket.terminate();
  }
}
