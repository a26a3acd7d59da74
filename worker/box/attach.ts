/**
 * The request by which a Worker attaches a stream to its Box, and the Box's answer. Both ends are
 * deployed together, but one may be older while a deployment spreads.
 */
import type { StreamId } from "../../protocol/frames.ts";

export type Attach = {
  box: string;
  id: StreamId;
  /** The stream had a socket before. */
  isResume: boolean;
  /** Its OPEN allows the agent to keep text. */
  keepsText: boolean;
  /** If the agent was lost a moment ago, the stream waits for it instead of trying another box. */
  waits: boolean;
};

export function attachUrl({ box, id, isResume, keepsText, waits }: Attach): string {
  const url = new URL("https://box/attach");
  url.searchParams.set("box", box);
  url.searchParams.set("stream", id);
  if (isResume) url.searchParams.set("resume", "1");
  if (keepsText) url.searchParams.set("keep_text", "1");
  if (!waits) url.searchParams.set("wait", "0");
  return url.href;
}

export const attachOf = ({ searchParams }: URL): Attach => ({
  box: searchParams.get("box") ?? "",
  id: searchParams.get("stream") ?? "",
  isResume: searchParams.get("resume") === "1",
  keepsText: searchParams.get("keep_text") === "1",
  waits: searchParams.get("wait") !== "0",
});

/** The status that refuses a stream because no text may be kept. Its Worker has older settings. */
export const TEXT_IS_OFF = 409;
