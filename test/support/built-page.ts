/** Builds the static files before the tests that serve them as Cloudflare does. */
import { execFileSync } from "node:child_process";
import { ROOT } from "../../local/edge.ts";

export default function build(): void {
  execFileSync(process.execPath, ["build.ts"], { cwd: ROOT, stdio: "inherit" });
}
