/** How a Worker passes the joining of an agent to its Box, which trusts it. */
import { Membership } from "../../protocol/joining.ts";

const HEADER = "x-box-member";

export const memberHeaders = (member: Membership | null): Record<string, string> =>
  member === null ? {} : { [HEADER]: JSON.stringify(member) };

/** Returns the joining whose certificate admitted an agent; null if a secret did. */
export function memberIn(headers: Headers): Membership | null {
  const text = headers.get(HEADER);
  return text === null ? null : Membership.parse(JSON.parse(text));
}
