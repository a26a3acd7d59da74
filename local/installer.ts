/**
 * The script that installs the agent, with the digests of the files that it downloads and the names
 * of the variables that it accepts. Pure.
 */
import { createHash } from "node:crypto";
import { AgentVariables } from "../agent/config.ts";

/** The variables that may be in the settings file of a box. */
const VARIABLES = [...Object.keys(AgentVariables.shape), "LOG_FORMAT"];

/**
 * Returns the script as the Worker serves it. It accepts only these two files, so the digest of the
 * script covers them too.
 */
export function installerOf(
  source: string,
  files: { agent: Uint8Array; unit: Uint8Array },
): string {
  return source
    .replace("@AGENT_SHA256@", sha256Of(files.agent))
    .replace("@UNIT_SHA256@", sha256Of(files.unit))
    .replace("@VARIABLES@", VARIABLES.join(" "))
    .replace("@ANY_VARIABLE@", VARIABLES.join(" | "));
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
