/**
 * `--check`: shows an operator what works before the agent is left alone. Prints one line for each
 * part that is required or optional. Changes nothing on the box or at the edge.
 */
import * as z from "zod";
import type { GpuSample } from "../protocol/records.ts";
import { CloudGuard } from "./cloud/cloud-guard.ts";
import type { AgentConfig } from "./config.ts";
import { proofNow } from "./joining/joining.ts";
import type { BoxMembership } from "./joining/membership.ts";
import { type ListenAddress, shownAddress } from "./listen/listen-address.ts";
import { CLOCKS, Listener, NOTHING_RECORDED } from "./listen/listener.ts";
import { InventoryPoller } from "./readings/inventory.ts";
import { getFromOllama } from "./readings/inventory-fetch.ts";
import { pickGpuSource } from "./readings/pick-gpu-source.ts";
import { dial, refusalOf } from "./tunnel/dial.ts";

type Finding = { ok: boolean; isRequired: boolean; part: string; detail: string };

const EDGE_MS = 10_000;
const GPU_MS = 12_000;
const STATUS_MS = 5_000;

/** Prints one line per finding. Returns true if every required part works. */
export async function check(
  config: AgentConfig,
  listen: ListenAddress | null,
  membership: BoxMembership | null,
  print: (line: string) => void,
): Promise<boolean> {
  let isGood = true;
  const report = ({ ok, isRequired, part, detail }: Finding) => {
    if (!ok && isRequired) isGood = false;
    print(`${ok ? "ok    " : isRequired ? "FAILED" : "none  "} ${part.padEnd(7)} ${detail}`);
  };
  await Promise.all([
    checkEdge(config, membership).then(report),
    checkOllama(config).then(report),
    checkCloud(config).then(report),
    checkGpu(config).then(report),
  ]);
  if (listen !== null) report(await checkListen(config, listen));
  return isGood;
}

/** Dials like the agent but sends no HELLO, which would disturb an agent that serves this box. */
function checkEdge(
  { edgeUrl, edgeSocket, boxSecret, box }: AgentConfig,
  membership: BoxMembership | null,
): Promise<Finding> {
  const finding = (ok: boolean, detail: string): Finding => ({
    ok,
    isRequired: true,
    part: "edge",
    detail: `${edgeUrl.origin} ${detail}`,
  });
  const authorization = proofNow({ edgeUrl, boxSecret }, membership);
  return new Promise((resolve) => {
    const socket = dial({ edgeUrl, edgeSocket }, box, authorization, EDGE_MS);
    const done = (result: Finding) => {
      clearTimeout(timer);
      resolve(result);
      socket.close();
    };
    const timer = setTimeout(
      () =>
        done(
          finding(
            false,
            `did not answer within ${EDGE_MS / 1_000} s. Check EDGE_URL and the network.`,
          ),
        ),
      EDGE_MS,
    );
    socket.on("unexpected-response", (_request, response) => {
      response.setEncoding("utf8");
      response.on("data", (text: string) =>
        done(
          finding(
            false,
            `refused this box: ${refusalOf(response.statusCode ?? 0, text, authorization)}`,
          ),
        ),
      );
      response.on("end", () =>
        done(
          finding(
            false,
            `refused this box: ${refusalOf(response.statusCode ?? 0, "", authorization)}`,
          ),
        ),
      );
    });
    socket.on("open", () => done(finding(true, `accepts box ${box}`)));
    socket.on("close", (_code, reason) =>
      done(finding(false, `closed the connection: ${reason.toString() || "no reason given"}`)),
    );
    socket.on("error", (error) =>
      done(finding(false, `cannot be reached (${error.message}). Check EDGE_URL and the network.`)),
    );
  });
}

async function checkOllama({ ollamaUrl }: AgentConfig): Promise<Finding> {
  const poller = new InventoryPoller({ base: ollamaUrl, log: () => {}, onChange: () => {} });
  await poller.refresh();
  const { reachable, error, ollama_version, models } = poller.latest();
  poller.stop();
  const count = `${models.length} ${models.length === 1 ? "model" : "models"}`;
  const detail = reachable
    ? `${ollama_version ?? "unknown version"}, ${count}`
    : `does not answer: ${error ?? "unknown reason"}`;
  return {
    ok: reachable,
    isRequired: true,
    part: "ollama",
    detail: `${ollamaUrl.origin} ${detail}`,
  };
}

const CloudStatus = z.object({ cloud: z.object({ disabled: z.boolean() }) });

/** Reads whether Ollama itself may use ollama.com. Not required: the agent refuses it anyway. */
async function checkCloud({ ollamaUrl, allowsServerTools }: AgentConfig): Promise<Finding> {
  const answer = await getFromOllama(ollamaUrl, "/api/status", STATUS_MS);
  const status = CloudStatus.safeParse(answer.ok ? answer.body : null);
  const own = allowsServerTools
    ? "The agent refuses cloud models and lets callers use server tools."
    : "The agent refuses cloud models and server tools.";
  const finding = (ok: boolean, detail: string) => ({
    ok,
    isRequired: false,
    part: "cloud",
    detail,
  });
  if (!status.success)
    return finding(false, `this Ollama does not report whether OLLAMA_NO_CLOUD is set. ${own}`);
  return status.data.cloud.disabled
    ? finding(true, "off in Ollama: OLLAMA_NO_CLOUD or its server.json is set")
    : finding(false, `OLLAMA_NO_CLOUD is not set for Ollama. ${own}`);
}

/** Opens the listener for a moment. */
async function checkListen(config: AgentConfig, address: ListenAddress): Promise<Finding> {
  const log = () => {};
  const listener = new Listener({
    ...CLOCKS,
    ...config,
    ...NOTHING_RECORDED,
    guard: new CloudGuard({ ...config, now: CLOCKS.now }).decide,
    log,
    onOver: () => {},
  });
  const finding = await listener.listen(address).then(
    (bound) => ({ ok: true, detail: `can listen on ${shownAddress(bound)}` }),
    (error: Error) => ({ ok: false, detail: error.message }),
  );
  await listener.stop();
  return { ...finding, isRequired: true, part: "listen" };
}

/** Waits for the first GPU reading or failure. Not required: a box without a GPU is normal. */
async function checkGpu(config: AgentConfig): Promise<Finding> {
  const source = pickGpuSource(config, {
    box: config.box,
    intervalSeconds: 1,
    now: Date.now,
    log: () => {},
  });
  source.start();
  let state = source.take();
  for (let waited = 0; waited < GPU_MS && !state.available && state.error === null; waited += 100) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    state = source.take();
  }
  const gpus = source.latest().map(shownGpu);
  await source.stop();
  return {
    ok: state.available,
    isRequired: false,
    part: "gpu",
    detail: state.available
      ? `${gpus.join("; ")}; driver ${state.driver_version ?? "unknown"}`
      : (state.error ?? `no reading within ${GPU_MS / 1_000} s`),
  };
}

const shownGpu = ({ name, memory_total_mb, power_draw_w }: GpuSample): string => {
  const vram = memory_total_mb === null ? "VRAM unknown" : `${memory_total_mb} MiB VRAM`;
  return `${name}, ${vram}, ${power_draw_w === null ? "power not readable" : "power readable"}`;
};
