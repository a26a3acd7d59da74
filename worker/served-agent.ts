/** The agent that this edge serves: the file of its own build. */
import { AGENT_PATH, type AgentFile } from "../protocol/update.ts";
import type { Bindings } from "./env.ts";
import { hexOf } from "./hex.ts";
import { VERSION } from "./version.ts";

/** @throws {Error} if it serves none */
export async function servedAgent({ ASSETS }: Pick<Bindings, "ASSETS">): Promise<AgentFile> {
  const answer = await ASSETS.fetch(`https://assets${AGENT_PATH}`);
  if (answer.status !== 200) throw new Error(`${AGENT_PATH} answered HTTP ${answer.status}`);
  const content = await answer.arrayBuffer();
  const sha256 = hexOf(await crypto.subtle.digest("SHA-256", content));
  return { version: VERSION, sha256, bytes: content.byteLength };
}
