/** The sockets of agents whose boxes joined: their certificates are renewed, and they are removed. */
import { FrameError, FrameType, tunnelFrame } from "../../protocol/frames.ts";
import type { Certified, Membership } from "../../protocol/joining.ts";
import type { UpdateOffer } from "../../protocol/update.ts";
import { agentOf, isOpen, type RelaySocket, type SocketHost, sendFrames } from "./sockets.ts";

/** Private close code (4000-4999). The agent logs the reason. */
const CLOSE_REMOVED = 4_003;

/** Closes the sockets of joinings up to that time, welcomed or not, and returns them. */
export const removeMembers = <Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  untilMs: number,
): Socket[] =>
  host.accepted("agent").filter((socket) => {
    const { member, box } = agentOf(host, socket);
    if (member === null || member.joinedMs > untilMs) return false;
    socket.close(CLOSE_REMOVED, `box ${box} was removed from this edge`);
    return true;
  });

/** Passes an offer to the agent. Returns whether there is one that takes it. */
export function offerUpdate<Socket extends RelaySocket>(
  host: SocketHost<Socket>,
  offer: UpdateOffer,
): boolean {
  const takers = host
    .accepted("agent")
    .filter((socket) => isOpen(socket) && agentOf(host, socket).takesUpdates);
  for (const socket of takers) sendFrames(socket, tunnelFrame(FrameType.update, offer));
  return takers.length > 0;
}

/** Answers RENEW. @throws {FrameError} if a secret admitted the agent */
export async function renew(
  socket: RelaySocket,
  member: Membership | null,
  certify: (member: Membership) => Promise<Certified>,
): Promise<void> {
  if (member === null) throw new FrameError("RENEW of a box that did not join");
  sendFrames(socket, tunnelFrame(FrameType.certificate, await certify(member)));
}
