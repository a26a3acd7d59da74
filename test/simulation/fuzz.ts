/**
 * Messages that no program sends, for both ends: valid frames, nearly valid ones, messages that are
 * cut, joined or shuffled, and noise. From a seed.
 */
import {
  decodeFrames,
  encodeFrames,
  type Frame,
  FrameError,
  FrameType,
  HEADER_BYTES,
  jsonBytes,
  TUNNEL,
} from "../../protocol/frames.ts";
import { DATA_BYTES_MAX } from "../../protocol/limits.ts";
import type { Chance } from "./chance.ts";

/** Frames of the Box itself, which every other receiver refuses: two kinds in a draw are enough. */
const OF_BOX = [FrameType.gone, FrameType.back, FrameType.key];
const TYPES = Object.values(FrameType).filter((type) => type !== FrameType.back);
const CODES = [
  "caller_gone",
  "gave_up",
  "ollama_unreachable",
  "ollama_broke",
  "lost",
  "draining",
  "bad_request",
  "nonsense",
];

export type Fuzzed = { messages: number; frames: number; refused: number; streams: number };

/**
 * Returns one message.
 * @param streams  ids that the other end may know
 * @param open     a valid payload of OPEN
 */
export function fuzzedMessage(
  chance: Chance,
  streams: readonly string[],
  open: Uint8Array,
): Uint8Array {
  const frames = Array.from({ length: chance.whole(1, 4) }, () =>
    fuzzedFrame(chance, streams, open),
  );
  const bytes = encodeFrames(frames);
  if (chance.isLikely(0.75)) return bytes;
  switch (chance.whole(0, 3)) {
    case 0:
      return bytes.subarray(0, chance.whole(0, bytes.length - 1));
    case 1:
      for (let i = chance.whole(1, 4); i > 0; i--)
        bytes[chance.whole(0, bytes.length - 1)] = chance.whole(0, 255);
      return bytes;
    case 2:
      new DataView(bytes.buffer).setUint32(
        HEADER_BYTES - 4,
        chance.pick([0, 1, 2 ** 31, 2 ** 32 - 1, bytes.length]),
      );
      return bytes;
    default:
      return Uint8Array.from({ length: chance.whole(0, 100) }, () => chance.whole(0, 255));
  }
}

function fuzzedFrame(chance: Chance, streams: readonly string[], open: Uint8Array): Frame {
  const drawn = chance.pick(TYPES);
  const type = drawn === FrameType.gone ? chance.pick(OF_BOX) : drawn;
  // A frame of the tunnel on a stream, or the reverse, has its whole message refused. So it is
  // rare.
  const isOfTunnel = type < FrameType.open !== chance.isLikely(0.02);
  const stream = isOfTunnel ? TUNNEL : chance.pick(streams);
  return { type, stream, seq: fuzzedSeq(chance), payload: payloadOf(chance, type, stream, open) };
}

/** Returns the byte that fills the DATA of a stream. */
export const markOf = (stream: string): number => Number.parseInt(stream.slice(-8, -6), 16);

const fuzzedSeq = (chance: Chance): number =>
  chance.isLikely(0.9) ? chance.whole(0, 6) : chance.pick([7, 100, 2 ** 31, 2 ** 32 - 1]);

function payloadOf(chance: Chance, type: FrameType, stream: string, open: Uint8Array): Uint8Array {
  if (type !== FrameType.data && chance.isLikely(0.1))
    return Uint8Array.from({ length: chance.whole(0, 60) }, () => chance.whole(0, 255));
  switch (type) {
    case FrameType.open:
      return open;
    case FrameType.head:
      return jsonBytes({
        status: chance.pick([200, 204, 404, 500, 99, "x"]),
        headers: chance.pick([[], [["content-type", "text/plain"]], null]),
      });
    case FrameType.data:
      return new Uint8Array(
        chance.isLikely(0.02) ? DATA_BYTES_MAX + chance.whole(-1, 1) : chance.whole(0, 300),
      ).fill(markOf(stream));
    case FrameType.abort:
      return jsonBytes({ code: chance.pick(CODES), message: "x" });
    case FrameType.key:
      if (chance.isLikely(0.1)) return jsonBytes({ stopped_by: chance.pick(["Ada", 7]) });
      return jsonBytes({ ends_at_ms: chance.pick([null, 2 ** 45, "x"]), state: "expired" });
    default:
      return chance.isLikely(0.5)
        ? new Uint8Array(0)
        : jsonBytes({ position: chance.pick([0, 1, -1, 1e300, null]) });
  }
}

/** Returns whether an error is a refusal, which closes the socket. Any other error is a crash. */
export const isRefusal = (error: unknown): boolean => error instanceof FrameError;

/** Returns the number of frames in a message; 0 if it is invalid. */
export function framesIn(message: Uint8Array): number {
  try {
    return decodeFrames(message).length;
  } catch (error) {
    if (error instanceof FrameError) return 0;
    throw error;
  }
}
