/** The options of the agent besides its settings: parts that it shares, and limits. */
import type { ExporterType } from "../protocol/messages.ts";
import type { CloudGuard } from "./cloud/cloud-guard.ts";
import type { BoxMembership } from "./joining/membership.ts";
import type { KeptPins } from "./keep/kept-pins.ts";
import type { Listener } from "./listen/listener.ts";
import type { EnergyMeter } from "./measure/energy.ts";
import type { OllamaTurns } from "./request/turn.ts";
import type { AgentUpdates } from "./tunnel/agent-updates.ts";

export type AgentOptions = {
  /** Time that a finished record waits for others to join its batch, ms. */
  recordsDelayMs?: number;
  /**
   * Serves callers beside the tunnel. Its requests count in the readings, and it stops with the
   * agent. The caller of the constructor makes it listen.
   */
  listener?: Listener | null;
  /** Shared with the listener, because all requests of a box share its GPUs. */
  energy?: EnergyMeter;
  /** Shared with the listener, because all requests of a box share its Ollama. */
  turns?: OllamaTurns;
  /** Shared with the listener, so that one list of models serves both. */
  cloudGuard?: CloudGuard;
  /** The membership of a box that joined; null for one with a secret. */
  membership?: BoxMembership | null;
  /** The pins of the run before; null to keep none. */
  pins?: KeptPins | null;
  /** Updates of the agent's own file; null: it is part of another program. */
  updates?: AgentUpdates | null;
  /** The exporter type that this program expects of the edge. A difference is logged once. */
  exporterType?: ExporterType | null;
};
