/**
 * A machine for `install.sh`: a folder that stands for its root. Programs that would change this machine, and
 * the network, are replaced by scripts.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { installerOf } from "../../local/installer.ts";

export const SOURCE = readFileSync("agent/install/install.sh", "utf8");
export const UNIT = readFileSync("agent/install/ollama-edge-agent.service", "utf8");
/** Prints its settings, as the check of the real agent would read them. */
export const AGENT = `
if (process.argv[2] === "join") {
  const { mkdirSync, readFileSync, writeFileSync } = await import("node:fs");
  const folder = process.env.STATE_DIR;
  mkdirSync(folder);
  const argv = process.argv.slice(2).join(" ");
  writeFileSync(folder + "/membership.json", argv + " with " + readFileSync(0, "utf8"));
  writeFileSync(folder + "/box-key.pem", "key");
  process.exit(argv.includes("refusing") ? 2 : 0);
}
const { EDGE_URL, BOX_NAME, BOX_SECRET, OLLAMA_HOST, NODE_OPTIONS } = process.env;
console.log("settings " + JSON.stringify({ EDGE_URL, BOX_NAME, BOX_SECRET, OLLAMA_HOST, NODE_OPTIONS }));
process.exit(BOX_NAME === "broken" ? 1 : 0);
`;
export const EDGE_URL = "https://edge.example";
export const SECRET = "s3cret-$HOME;id&|<>(x)";

let folder: string;
export const at = (...path: string[]) => join(folder, ...path);
export const envFile = () => at("root/etc/ollama-edge-agent.env");
export const agentFile = () => at("root/usr/local/lib/ollama-edge-agent/agent.mjs");
export const unitFile = () => at("root/etc/systemd/system/ollama-edge-agent.service");

/** Each test of a file has a new machine. */
export function useMachine(): void {
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "install-"));
    for (const path of ["bin", "served", "root/etc"]) mkdirSync(at(path), { recursive: true });
    const program = (name: string, script: string) => {
      writeFileSync(at("bin", name), `#!/bin/sh\necho "$0 $*" >>"${at("calls")}"\n${script}\n`);
      chmodSync(at("bin", name), 0o755);
    };
    program("id", "echo 0");
    program("systemctl", "");
    // The last but two arguments are the URL, -o and the file.
    program("curl", `cp "${at("served")}/$(basename "$4")" "$6"`);
    writeFileSync(at("served/agent.mjs"), AGENT);
    writeFileSync(at("served/ollama-edge-agent.service"), UNIT);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
}

/** Runs the script on the machine. */
export function install(environment: Record<string, string>, args: string[] = [], input = "") {
  const files = { agent: Buffer.from(AGENT), unit: Buffer.from(UNIT) };
  writeFileSync(at("install.sh"), installerOf(SOURCE, files));
  const { status, stdout, stderr } = spawnSync("sh", [at("install.sh"), ...args], {
    input,
    encoding: "utf8",
    cwd: folder,
    env: { PATH: `${at("bin")}:${process.env.PATH}`, DESTDIR: at("root"), ...environment },
  });
  const settings = /^settings (.*)$/m.exec(stdout)?.[1];
  return { status, stdout, stderr, settings: settings === undefined ? null : JSON.parse(settings) };
}

export const CODE = `oej_${"0".repeat(28)}_${"0".repeat(32)}`;
export const stateFile = (name: string) => at("root/var/lib/private/ollama-edge-agent", name);
