/** The script that installs the agent, with the digests of the files that it downloads. Pure. */
import { createHash } from "node:crypto";

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
    .replace("@UNIT_SHA256@", sha256Of(files.unit));
}

const sha256Of = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
