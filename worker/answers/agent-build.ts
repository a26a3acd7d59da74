/** Compares the agent of a box with the one that this edge serves: by version, and by content if it is known. */
import type { BoxHealth } from "../../protocol/api/fleet.ts";
import type { Hello } from "../../protocol/messages.ts";
import { VERSION } from "../version.ts";

type OfAgent = Pick<Hello, "agent_version" | "agent_sha256">;

/** Returns null if either content is unknown, as for an older agent or a single executable. */
export const agentBuildOf = (
  { agent_sha256 }: OfAgent,
  servedDigest: string | null,
): BoxHealth["agent_build"] =>
  agent_sha256 == null || servedDigest === null
    ? null
    : agent_sha256 === servedDigest
      ? "same"
      : "other";

/** Checks that the agent has the version of this edge, and is not known to be another build of it. */
export const isCurrentAgent = (hello: OfAgent, servedDigest: string | null): boolean =>
  hello.agent_version === VERSION && agentBuildOf(hello, servedDigest) !== "other";
