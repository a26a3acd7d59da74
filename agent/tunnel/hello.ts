/** HELLO of this agent: who it is, and what it can do. */
import type { Hello } from "../../protocol/messages.ts";

type Identity = Pick<Hello, "box" | "agent_id" | "boot_id" | "agent_version" | "simulated">;

export const helloOf = (identity: Identity): Hello => ({
  ...identity,
  now_ms: Date.now(),
  takes_settings: true,
  returns_seals: true,
  runs_bench: true,
});
