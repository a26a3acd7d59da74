/** Starts the agent of one box, with or without a listener: for the command and `OllamaService`. */
import type { ExporterType } from "../protocol/messages.ts";
import { Agent } from "./agent.ts";
import { steadyClock } from "./clock/steady-clock.ts";
import { CloudGuard } from "./cloud/cloud-guard.ts";
import type { AgentConfig, ServedConfig } from "./config.ts";
import type { BoxMembership } from "./joining/membership.ts";
import { KeptPins } from "./keep/kept-pins.ts";
import { type ListenAddress, shownAddress } from "./listen/listen-address.ts";
import { CLOCKS, Listener, NOTHING_RECORDED } from "./listen/listener.ts";
import type { Log } from "./log.ts";
import { EnergyMeter } from "./measure/energy.ts";
import { turnsOf } from "./request/turn.ts";
import { Spool } from "./spool/spool.ts";
import { agentIdIn } from "./state/identity.ts";
import { acquireStateLock } from "./state/lock.ts";
import { StatusSocket } from "./status/status-socket.ts";
import type { AgentUpdates } from "./tunnel/agent-updates.ts";
import { AGENT_VERSION } from "./version.ts";

export type Running = {
  /** Address of the listener; null without one. */
  address: ListenAddress | null;
  /** Takes no new requests, finishes the open ones, and stops. */
  drain(limitMs?: number): Promise<void>;
  /** Stops at once. Open requests end in an error. */
  stop(): Promise<void>;
};

export type BoxOptions = {
  listen: ListenAddress | null;
  /** The membership of a box that joined; null for one with a secret. */
  membership?: BoxMembership | null;
  /** Updates of the agent's own file; null: it is part of another program. */
  updates?: AgentUpdates | null;
  /** Time that a finished record waits for others to join its batch, ms. */
  recordsDelayMs?: number;
  /** The exporter type that this program expects of the edge. */
  exporterType?: ExporterType;
};

/**
 * Starts the agent, and a listener if an address is given. Does not wait for the edge.
 * @throws {StateLockError} if the state folder is in use or not writable
 * @throws {ListenError} if the listener cannot use its address
 */
export async function startBox(
  config: AgentConfig,
  options: BoxOptions,
  log: Log,
): Promise<Running> {
  const lock = acquireStateLock(config.stateDir);
  try {
    const { address, drain, stop } = await startAgent(config, options, log);
    return {
      address,
      drain: (limitMs) => drain(limitMs).then(lock.release),
      stop: () => stop().then(lock.release),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The part of a status that describes this process. */
const OWN = { version: AGENT_VERSION, pid: process.pid };

/** Runs with the state folder locked. */
async function startAgent(
  config: AgentConfig,
  { listen, ...options }: BoxOptions,
  log: Log,
): Promise<Running> {
  const { box, edgeUrl, ollamaUrl, stateDir, simulated, redact } = config;
  const spool = Spool.open(`${stateDir}/spool`, { now: steadyClock(Date.now()), log, redact });
  const energy = new EnergyMeter();
  const turns = turnsOf(config.ollamaParallel);
  const cloudGuard = new CloudGuard({ ...config, ...CLOCKS, patience: turns.patience });
  const wallClock = () => agent.edge.nowMs;
  const keepsText = () => agent.edge.keepsText;
  const forbidsText = () => agent.edge.forbidsText;
  const onOver = (endpoint: string) => agent.requestFinished(endpoint);
  const listener =
    listen === null
      ? null
      : new Listener({
          ...CLOCKS,
          wallClock,
          box,
          ollamaUrl,
          spool,
          energy,
          ...turns,
          guard: cloudGuard.decide,
          log,
          keepsText,
          forbidsText,
          onOver,
        });
  const agent = new Agent(config, agentIdIn(stateDir), spool, log, {
    ...options,
    energy,
    turns,
    cloudGuard,
    listener,
    pins: new KeptPins(stateDir, log),
  });
  let address: ListenAddress | null = null;
  const startedMs = Date.now();
  const socket = new StatusSocket(
    stateDir,
    () => {
      const status = agent.status();
      const listening = address === null ? null : shownAddress(address);
      const process = { started_at_ms: startedMs, state_dir: stateDir, listen: listening };
      return { ...status, agent: { ...status.agent, ...OWN, ...process } };
    },
    log,
  );
  try {
    if (listener !== null && listen !== null) address = await listener.listen(listen);
  } catch (error) {
    await agent.stop();
    throw error;
  }
  log("info", "started", {
    version: AGENT_VERSION,
    box,
    edge: edgeUrl.origin,
    ollama: ollamaUrl.origin,
    simulated,
  });
  agent.start();
  socket.open();
  const stopped = (stopping: Promise<void>) => stopping.finally(() => socket.close());
  return {
    address,
    drain: (limitMs) => stopped(agent.drain(limitMs)),
    stop: () => stopped(agent.stop()),
  };
}

/**
 * Starts only the listener: no tunnel, no spool, no records.
 * @throws {ListenError} if the listener cannot use its address
 */
export async function startEndpoint(
  config: ServedConfig,
  listen: ListenAddress,
  log: Log,
): Promise<Running> {
  const listener = new Listener({
    ...CLOCKS,
    ...config,
    ...NOTHING_RECORDED,
    guard: new CloudGuard({ ...config, ...CLOCKS, patience: NOTHING_RECORDED.patience }).decide,
    log,
    onOver: () => {},
  });
  const address = await listener.listen(listen);
  const drain = async () => {
    await listener.drain();
    await listener.stop();
  };
  return { address, drain, stop: () => listener.stop() };
}
