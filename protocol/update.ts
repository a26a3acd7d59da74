/**
 * How the edge updates an agent: the offer that it signs, and what the agent reports about it. Pure.
 *
 * The signature is under the key that the box got when it joined, so the tunnel alone cannot make an
 * agent run anything.
 */
import * as z from "zod";
import { Signature } from "./joining.ts";

/** Largest agent, bytes. Today's has less than one MiB. */
export const AGENT_BYTES_MAX = 16 * 1024 * 1024;

/** Where the edge serves its agent. */
export const AGENT_PATH = "/agent/agent.mjs";

/** `forbidden`: by a setting of the agent. `not_joined`: it has no key to check an offer with. */
export const TakesUpdates = z.enum(["yes", "forbidden", "not_joined"]);
export type TakesUpdates = z.infer<typeof TakesUpdates>;

/** The digest of an agent's file, in lower-case hexadecimal digits. */
export const AgentDigest = z.string().regex(/^[0-9a-f]{64}$/);

/** The file that an offer is about. */
export const AgentFile = z.object({
  version: z.string().min(1).max(32),
  sha256: AgentDigest,
  bytes: z.int().positive().max(AGENT_BYTES_MAX),
});
export type AgentFile = z.infer<typeof AgentFile>;

/** UPDATE: the agent may run this file. */
export const UpdateOffer = AgentFile.extend({
  /** One under each key of the edge that is still in use: the box trusts one of them. */
  signatures: z.array(Signature).min(1).max(4),
});
export type UpdateOffer = z.infer<typeof UpdateOffer>;

/**
 * Returns the text that the edge signs.
 * @param bootId  the one of the agent's process: an old offer serves no later one
 */
export const offerText = (
  box: string,
  bootId: string,
  { version, sha256, bytes }: AgentFile,
): string => ["ollama-edge-serve", "update", box, bootId, version, sha256, bytes].join("\n");

/**
 * The last update of an agent. `failed`: it went on with its old file; `rolled_back`: it ran the new one,
 * and returned to the old one.
 */
export const UpdateReport = z.object({
  state: z.enum(["updating", "updated", "rolled_back", "failed"]),
  /** The version that was offered. */
  version: z.string().max(32),
  /** The reason for the failure, or the present step; null once it is updated. */
  reason: z.string().max(300).nullable(),
  /** By the agent's clock, unix ms. */
  at_ms: z.number(),
});
export type UpdateReport = z.infer<typeof UpdateReport>;
