/** Hands the frames of the edge to the parts of the agent that take them. */
import { type Frame, FrameType, parsePayload } from "../protocol/frames.ts";
import { EdgeSettings, Recorded } from "../protocol/messages.ts";
import type { ReadingsSender } from "./readings/readings-sender.ts";
import type { Delivery } from "./spool/delivery.ts";
import type { StreamTable } from "./tunnel/stream-table.ts";

type Takers = {
  delivery: Delivery;
  readings: ReadingsSender;
  streams: StreamTable;
  settle(settings: EdgeSettings): void;
};

/** Returns a function that throws a {@link FrameError} for a frame of the wrong shape. */
export const fromEdge =
  ({ delivery, readings, streams, settle }: Takers) =>
  (frames: readonly Frame[]): void => {
    for (const frame of frames) {
      switch (frame.type) {
        case FrameType.recorded:
          delivery.confirmed(parsePayload(Recorded, frame.payload).position);
          break;
        case FrameType.settings:
          settle(parsePayload(EdgeSettings, frame.payload));
          break;
        case FrameType.watch:
          readings.watch();
          break;
        default:
          streams.receive(frame);
      }
    }
  };
