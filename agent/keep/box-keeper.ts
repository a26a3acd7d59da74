/**
 * Keeps the pinned models of this box in memory: carries out what {@link PinKeeper} decides, one
 * request at a time.
 *
 * A load is measured and recorded like any request, with the source `system`, so its time and energy
 * are known and no caller is charged. A renewal takes no time, and is not recorded.
 */
import { jsonBytes } from "../../protocol/frames.ts";
import { type OpenRequest, withTag } from "../../protocol/inventory.ts";
import type { Open } from "../../protocol/messages.ts";
import type { Pin, PinReport } from "../../protocol/pin.ts";
import { newRequestId } from "../../protocol/request-id.ts";
import { isInference } from "../../protocol/routes.ts";
import { after } from "../clock/timers.ts";
import type { Log } from "../log.ts";
import { errorBodyText } from "../measure/error-body.ts";
import type { InventoryPoller } from "../readings/inventory.ts";
import type { RequestSource } from "../readings/open-requests.ts";
import { refusalText } from "../request/guard.ts";
import { MeasuredRequest, type MeasuredRequestShell } from "../request/measured-request.ts";
import type { NotedRequest } from "../spool/lines.ts";
import type { KeptPins } from "./kept-pins.ts";
import { type KeepAction, PinKeeper } from "./pin-keeper.ts";

export type BoxKeeperShell = MeasuredRequestShell & {
  inventory: Pick<InventoryPoller, "latest" | "expect">;
  /** Unix ms by the edge's clock. */
  wallClock: () => number;
  /** Returns the open requests of callers. */
  others(): readonly OpenRequest[];
  /** A bench needs the box for itself. */
  isBenching(): boolean;
  /** A request is over, and its record is in the spool. */
  onOver(endpoint: string): void;
  /** The state of a pin has changed. */
  onChange(): void;
  log: Log;
};

/** A load from a slow disk takes minutes. A request that takes longer never ends. */
const LONGEST_MS = 15 * 60_000;
const ANSWER_BYTES_MAX = 64 * 1_024;
const OK = 200;
const BAD_GATEWAY = 502;

/** Its open load is a source of requests, for the readings and the spool. */
export class BoxKeeper implements RequestSource {
  readonly #shell: BoxKeeperShell;
  readonly #keeper = new PinKeeper();
  readonly #kept: Pick<KeptPins, "read" | "write"> | null;
  #request: MeasuredRequest | null = null;
  #shown = "";
  #isWorking = false;
  #isStopped = false;

  /** @param kept  the pins of the run before, until the edge sends its own */
  constructor(shell: BoxKeeperShell, kept: Pick<KeptPins, "read" | "write"> | null) {
    this.#shell = shell;
    this.#kept = kept;
    const pins = kept?.read() ?? null;
    if (pins !== null) this.#keeper.pins = pins;
  }

  get requests(): OpenRequest[] {
    return this.#request === null ? [] : [this.#request.asOpen];
  }

  get answered(): string[] {
    return this.#request?.isAnswered ? [this.#request.asOpen.request_id] : [];
  }

  get progress(): NotedRequest[] {
    return this.#request === null ? [] : [this.#request.progress];
  }

  get reports(): PinReport[] | null {
    return this.#keeper.reports;
  }

  /** Takes the pins of the box, which replace those before. */
  take(pins: readonly Pin[]): void {
    this.#kept?.write(pins);
    this.#keeper.pins = pins;
    this.tick();
  }

  /** Does what is due. Called after every poll of Ollama. */
  tick(): void {
    if (this.#isWorking || this.#isStopped || this.#shell.isBenching()) return;
    const { now, wallClock, inventory, others } = this.#shell;
    const action = this.#keeper.next({
      nowMs: now(),
      edgeMs: wallClock(),
      boxMs: Date.now(),
      inventory: inventory.latest(),
      inUse: modelsIn(others()),
    });
    this.#report();
    if (action !== null) void this.#perform(action);
  }

  stop(): void {
    this.#isStopped = true;
    this.#request?.cancel(null);
  }

  async #perform(action: KeepAction): Promise<void> {
    const { inventory, now, log } = this.#shell;
    const { model, isLoad } = action;
    this.#isWorking = true;
    const failure = await this.#send(action);
    if (isLoad) log(failure === null ? "info" : "warn", "pin_loaded", { model, failure });
    if (failure === null) {
      if (isLoad) await inventory.expect(model, true);
      this.#keeper.done(action, inventory.latest(), now());
    } else this.#keeper.failed(action, failure, now());
    this.#isWorking = false;
    this.tick();
  }

  /** Returns why it failed; null if Ollama has carried it out. */
  #send(action: KeepAction): Promise<string | null> {
    const { now, wallClock, spool, onOver } = this.#shell;
    const path = action.embedsOnly ? "/api/embed" : "/api/generate";
    const shell = { ...this.#shell, spool: action.isLoad ? spool : null };
    const arrived = { atMs: now(), tunnelMs: null, source: "system" } as const;
    const open = openOf(path, action.model, wallClock());
    const request = new MeasuredRequest(newRequestId(wallClock()), open, arrived, shell);
    this.#request = action.isLoad ? request : null;
    return new Promise((resolve) => {
      const parts: Uint8Array[] = [];
      let [status, bytes] = [0, 0];
      const finish = (failure: string | null) => {
        cancelTimer();
        if (failure === null) request.complete();
        else request.fail("ollama", failure, BAD_GATEWAY);
        this.#request = null;
        if (action.isLoad) onOver(path);
        resolve(failure);
      };
      const cancelTimer = after(LONGEST_MS, () =>
        finish(`Ollama did not answer within ${LONGEST_MS / 60_000} minutes.`),
      );
      request.send(jsonBytes(bodyOf(action)), {
        onRefused: (refusal) => finish(refusalText(refusal)),
        onHead: (head) => {
          status = head;
        },
        onData: (chunk) => {
          bytes += chunk.length;
          if (bytes <= ANSWER_BYTES_MAX) parts.push(chunk);
        },
        onEnd: () =>
          finish(status === OK ? null : errorBodyText(status, Buffer.concat(parts).toString())),
        onError: finish,
      });
    });
  }

  #report(): void {
    const shown = JSON.stringify(this.reports);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#shell.onChange();
  }
}

/** In Ollama's API, a request without a prompt loads a model. */
const bodyOf = ({ model, embedsOnly, keepAliveSeconds, contextLength }: KeepAction) => ({
  model,
  ...(embedsOnly ? { input: [] } : { stream: false }),
  keep_alive: keepAliveSeconds,
  ...(contextLength !== null && { options: { num_ctx: contextLength } }),
});

const modelsIn = (requests: readonly OpenRequest[]): Set<string> =>
  new Set(
    requests.flatMap(({ endpoint, model }) =>
      isInference(endpoint) && model !== null ? withTag(model) : [],
    ),
  );

const openOf = (path: string, model: string, nowMs: number): Open => ({
  method: "POST",
  path,
  headers: [["content-type", "application/json"]],
  endpoint: path,
  api: "ollama",
  model,
  stream: false,
  started_at: new Date(nowMs).toISOString(),
  edge_ms: null,
  keep_text: false,
  key_id: null,
  client_ip: null,
  user_agent: "ollama-edge-agent pin",
});
