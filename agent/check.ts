/**
 * `check`: shows an operator what works before the agent is left alone. Prints one line for each part
 * that is required or optional, and the next step below one that does not work. Changes nothing on
 * the box or at the edge.
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
import { START_OLLAMA } from "./status/concern-lines.ts";
import { type Finding, findingLines, verdictLine } from "./terminal/findings.ts";
import { type Paint, unpainted } from "./terminal/paint.ts";
import { dial, needsToJoinAgain, refusalOf } from "./tunnel/dial.ts";

const EDGE_MS = 10_000;
const GPU_MS = 12_000;
const STATUS_MS = 5_000;

/** Prints the findings in a fixed order, each as soon as it and those before it are known. */
export async function check(
  config: AgentConfig,
  listen: ListenAddress | null,
  membership: BoxMembership | null,
  print: (line: string) => void,
  paint: Paint = unpainted,
): Promise<boolean> {
  const checks = [
    checkEdge(config, membership),
    checkOllama(config),
    checkCloud(config),
    checkGpu(config),
  ];
  let failed = 0;
  const report = (finding: Finding) => {
    if (!finding.ok && finding.isRequired) failed++;
    for (const line of findingLines(finding, paint)) print(line);
  };
  for (const finding of checks) report(await finding);
  // It may have the address of an Ollama that was just checked.
  if (listen !== null) report(await checkListen(config, listen));
  print(verdictLine(failed, paint));
  return failed === 0;
}

const CHECK_ADDRESS = "Check EDGE_URL and the network.";
const JOIN_AGAIN = "Join again with a new code: ollama-edge-agent join <edge> <code>.";

/** Dials like the agent but sends no HELLO, which would disturb an agent that serves this box. */
function checkEdge(
  { edgeUrl, edgeSocket, boxSecret, box }: AgentConfig,
  membership: BoxMembership | null,
): Promise<Finding> {
  const finding = (ok: boolean, detail: string, next: string | null = null): Finding => ({
    ok,
    isRequired: true,
    part: "edge",
    detail: `${edgeUrl.origin} ${detail}`,
    next,
  });
  const authorization = proofNow({ edgeUrl, boxSecret }, membership);
  return new Promise((resolve) => {
    const socket = dial({ edgeUrl, edgeSocket }, box, authorization, EDGE_MS);
    const done = (result: Finding) => {
      clearTimeout(timer);
      resolve(result);
      socket.close();
    };
    const late = finding(false, `did not answer within ${EDGE_MS / 1_000} s`, CHECK_ADDRESS);
    const timer = setTimeout(() => done(late), EDGE_MS);
    socket.on("unexpected-response", (_request, response) => {
      // The edge states its reason in the refusal, with the next step.
      const refused = (text: string) => {
        const reason = refusalOf(response.statusCode ?? 0, text, authorization);
        const next = needsToJoinAgain(text) ? JOIN_AGAIN : null;
        done(finding(false, `refused this box: ${reason}`, next));
      };
      response.setEncoding("utf8");
      response.on("data", refused);
      response.on("end", () => refused(""));
    });
    socket.on("open", () => done(finding(true, `accepts box ${box}`)));
    socket.on("close", (_code, reason) =>
      done(
        finding(
          false,
          `closed the connection: ${reason.toString() || "no reason given"}`,
          CHECK_ADDRESS,
        ),
      ),
    );
    socket.on("error", (error) =>
      done(finding(false, `cannot be reached (${error.message})`, CHECK_ADDRESS)),
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
    next: reachable ? null : START_OLLAMA,
  };
}

const NO_CLOUD = "To turn it off in Ollama too, start Ollama with OLLAMA_NO_CLOUD=1.";
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
    next: ok ? null : NO_CLOUD,
  });
  if (!status.success)
    return finding(false, `this Ollama does not report whether OLLAMA_NO_CLOUD is set. ${own}`);
  return status.data.cloud.disabled
    ? finding(true, "off in Ollama: OLLAMA_NO_CLOUD or its server.json is set")
    : finding(false, `OLLAMA_NO_CLOUD is not set for Ollama. ${own}`);
}

const OTHER_ADDRESS = "Give --listen an address of this machine with a free port.";

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
    (bound) => ({ ok: true, detail: `can listen on ${shownAddress(bound)}`, next: null }),
    (error: Error) => ({ ok: false, detail: error.message, next: OTHER_ADDRESS }),
  );
  await listener.stop();
  return { ...finding, isRequired: true, part: "listen" };
}

const NO_GPU =
  "A box without a GPU needs nothing. If it has one, run nvidia-smi or the tool of its vendor.";

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
    next: state.available ? null : NO_GPU,
  };
}

const shownGpu = ({ name, memory_total_mb, power_draw_w }: GpuSample): string => {
  const vram = memory_total_mb === null ? "VRAM unknown" : `${memory_total_mb} MiB VRAM`;
  return `${name}, ${vram}, ${power_draw_w === null ? "power not readable" : "power readable"}`;
};
