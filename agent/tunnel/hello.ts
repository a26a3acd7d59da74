/** HELLO of this agent: who it is, and what it can do. */
import type { Hello } from "../../protocol/messages.ts";
import type { TakesUpdates } from "../../protocol/update.ts";

type Ids = {
  agentId: string;
  bootId: string;
  agentVersion: string;
  agentDigest: string | null;
  updates: TakesUpdates | undefined;
};

export const helloOf = (
  { box, simulated }: Pick<Hello, "box" | "simulated">,
  { agentId, bootId, agentVersion, agentDigest, updates }: Ids,
): Hello => ({
  box,
  agent_id: agentId,
  boot_id: bootId,
  agent_version: agentVersion,
  now_ms: Date.now(),
  simulated,
  takes_settings: true,
  returns_seals: true,
  runs_bench: true,
  keeps_pins: true,
  yields_lost: true,
  takes_may_ask: true,
  takes_updates: updates,
  agent_sha256: agentDigest,
});
