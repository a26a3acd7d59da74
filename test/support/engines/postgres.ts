/**
 * A throw-away Postgres in a folder, reachable only on loopback. It is not durable, which makes it
 * faster.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../stack.ts";

export type Postgres = { port: number; stop(): Promise<void> };

const FASTER = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"];
const SETTINGS = [
  ...FASTER,
  "unix_socket_directories=",
  "timezone=UTC",
  "log_timezone=UTC",
].flatMap((setting) => ["-c", setting]);

/** Postgres refuses to run as root. Root runs it in a user namespace as another user. */
function asNobody(program: string, args: string[]): [string, string[]] {
  if (process.getuid?.() !== 0) return [program, args];
  return ["unshare", ["-U", "--map-user=65534", "--map-group=65534", program, ...args]];
}

/** @param bin  the folder of `initdb` and `postgres` */
export async function startPostgres(
  bin: string,
  folder: string,
  user: string,
  password: string,
): Promise<Postgres> {
  chmodSync(folder, 0o700);
  const data = join(folder, "data");
  const passwordFile = join(folder, "password");
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  const init = [
    "-D",
    data,
    "-U",
    user,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "-E",
    "UTF8",
    "--locale=C",
    "--no-sync",
  ];
  execFileSync(...asNobody(join(bin, "initdb"), init), {
    cwd: "/",
    stdio: ["ignore", "ignore", "inherit"],
  });
  rmSync(passwordFile);
  const port = await freePort();
  const args = ["-D", data, "-p", String(port), "-h", "127.0.0.1", ...SETTINGS];
  const server = spawn(...asNobody(join(bin, "postgres"), args), {
    cwd: "/",
    stdio: ["ignore", "ignore", "pipe"],
  });
  await ready(server);
  const ended = new Promise<void>((resolve) => server.once("close", () => resolve()));
  return {
    port,
    async stop() {
      server.kill("SIGINT");
      await ended;
    },
  };
}

function ready(server: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    server.stderr?.on("data", (chunk) => {
      log = (log + chunk).slice(-20_000);
      if (log.includes("ready to accept connections")) resolve();
    });
    server.once("error", reject);
    server.once("close", (code) => reject(new Error(`postgres ended with ${code}: ${log}`)));
  });
}
