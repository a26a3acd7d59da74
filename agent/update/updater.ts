/**
 * Takes the edge's offer of another agent: checks the signature, downloads, checks the file, and waits until no
 * request is open. `supervisor.ts` runs it then.
 */
import { setTimeout as delay } from "node:timers/promises";
import { FrameError, parsePayload } from "../../protocol/frames.ts";
import {
  type AgentFile,
  offerText,
  type TakesUpdates,
  UpdateOffer,
  type UpdateReport,
} from "../../protocol/update.ts";
import { isSigned } from "../joining/membership.ts";
import type { Log } from "../log.ts";
import type { AgentUpdates, UpdatedAgent } from "../tunnel/agent-updates.ts";
import type { EdgeAddress } from "../tunnel/dial.ts";
import { downloadAgent, UpdateError } from "./download.ts";
import type { UpdateFolder } from "./update-folder.ts";

/** A box that is always busy is updated after this: it takes no new requests, and finishes the open ones. */
const IDLE_WAIT_MS = 10 * 60_000;
const IDLE_CHECK_MS = 100;

export type UpdaterShell = {
  takes: TakesUpdates;
  box: string;
  edge: EdgeAddress;
  /** The key of the edge that this box joined; null if it has not joined. */
  signingKey(): string | null;
  folder: UpdateFolder;
  /** Returns the digest of the file that runs. */
  running(): string;
  /** The same for HELLO; null if the file cannot be the one that an edge serves. */
  comparable: string | null;
  /** Returns the version that the file prints. @throws if it does not run */
  probe(path: string): Promise<string>;
  /** The next file is in its place, and no request is open. */
  ready(): void;
  /** The tunnel is up. */
  up(): void;
  now(): number;
  log: Log;
};

export class Updater implements AgentUpdates {
  readonly #shell: UpdaterShell;
  #agent: UpdatedAgent | null = null;
  #report: UpdateReport | null;
  #isBusy = false;

  constructor(shell: UpdaterShell) {
    this.#shell = shell;
    this.#report = shell.folder.read().report;
  }

  get takes(): TakesUpdates {
    return this.#shell.takes;
  }

  get digest(): string | null {
    return this.#shell.comparable;
  }

  report(): UpdateReport | null {
    return this.#report;
  }

  attach(agent: UpdatedAgent): void {
    this.#agent = agent;
  }

  up(): void {
    this.#shell.up();
  }

  /** The state on the disk has changed. */
  reread(): void {
    this.#report = this.#shell.folder.read().report;
    this.#agent?.changed();
  }

  offered(payload: Uint8Array): void {
    if (this.#shell.takes !== "yes") throw new FrameError("UPDATE for an agent that takes none");
    const offer = parsePayload(UpdateOffer, payload);
    // One that is in progress goes on: the owner may offer the newer one afterwards.
    if (!this.#isBusy) void this.#take(offer);
  }

  async #take(offer: UpdateOffer): Promise<void> {
    const { signatures: _, ...file } = offer;
    const { log } = this.#shell;
    this.#isBusy = true;
    try {
      this.#check(offer);
      this.#reports("updating", file, "it is downloaded");
      await this.#fetch(file);
      log("info", "update_downloaded", { version: file.version, sha256: file.sha256 });
      this.#reports("updating", file, "it waits until no request is open");
      await this.#untilIdle();
      this.#reports("updating", file, "it restarts");
      this.#shell.ready();
    } catch (error) {
      this.#isBusy = false;
      const why = error instanceof UpdateError ? error.message : String(error);
      log("error", "update_failed", { version: file.version, why });
      this.#reports("failed", file, why);
    }
  }

  /** @throws {UpdateError} unless the edge that this box joined signed the offer for this process */
  #check(offer: UpdateOffer): void {
    const { box, running, log } = this.#shell;
    const key = this.#shell.signingKey();
    const text = offerText(box, this.#agent?.bootId ?? "", offer);
    if (key === null || !offer.signatures.some((signature) => isSigned(key, text, signature)))
      throw new UpdateError(
        "the offer is not signed by the edge that this box joined; if its KEY_PEPPER was replaced, join again",
      );
    log("info", "update_offered", { version: offer.version, sha256: offer.sha256 });
    if (offer.sha256 === running()) throw new UpdateError("the agent runs this file already");
  }

  /** @throws {UpdateError} */
  async #fetch(file: AgentFile): Promise<void> {
    const { edge, folder, probe } = this.#shell;
    const content = await downloadAgent(edge, file);
    try {
      folder.keepNext(file, content);
    } catch (error) {
      folder.dropNext();
      throw new UpdateError(`it cannot be stored (${String((error as { code?: unknown }).code)})`);
    }
    const printed = await probe(folder.pathOf(file)).catch((error: Error) => error.message);
    if (printed === file.version) return;
    folder.dropNext();
    throw new UpdateError(`it does not run here: ${printed}`);
  }

  async #untilIdle(): Promise<void> {
    const untilMs = this.#shell.now() + IDLE_WAIT_MS;
    while ((this.#agent?.openRequests() ?? 0) > 0 && this.#shell.now() < untilMs)
      await delay(IDLE_CHECK_MS);
  }

  #reports(state: UpdateReport["state"], { version }: AgentFile, reason: string): void {
    this.#report = { state, version, reason: reason.slice(0, 300), at_ms: this.#shell.now() };
    this.#agent?.changed();
  }
}
