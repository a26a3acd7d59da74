/** A message of an agent, taken apart for the streams that it is for. Pure. */

import type { StreamId } from "../../protocol/frames.ts";
import {
  type Frame,
  FrameError,
  FrameType,
  HEADER_BYTES,
  typeName,
} from "../../protocol/frames.ts";

/**
 * Yields the bytes of each stream, and whether they end it. Frames of one stream stand together in
 * a message, so they travel on as one message, unchanged. Frames of the tunnel are left out.
 * @param frames  all frames of the message
 * @throws {FrameError} at a frame that an agent may not send
 */
export function* streamParts(
  frames: readonly Frame[],
  message: Uint8Array,
): Generator<{ id: StreamId; bytes: Uint8Array; isEnd: boolean }> {
  let at = 0;
  for (let i = 0; i < frames.length; ) {
    const { stream: id, type } = frames[i] as Frame;
    const from = at;
    let isEnd = false;
    for (; i < frames.length && frames[i]?.stream === id; i++) {
      const frame = frames[i] as Frame;
      if (frame.type === FrameType.open || frame.type >= FrameType.gone)
        throw new FrameError(`${typeName(frame.type)} from an agent`);
      isEnd ||= frame.type === FrameType.end || frame.type === FrameType.abort;
      at += HEADER_BYTES + frame.payload.length;
    }
    if (!isOfTunnel({ type })) yield { id, bytes: message.subarray(from, at), isEnd };
  }
}

export const isOfTunnel = ({ type }: Pick<Frame, "type">): boolean => type < FrameType.open;
