/**
 * The inventory poller: repeatedly requests the models of the local Ollama, one request at a time.
 *
 * An Ollama that does not answer is a state, reported with its reason, and the polling continues.
 * Meanwhile the models on disk stay listed, because they are still there; the loaded ones do not.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Inventory, withTag } from "../../protocol/inventory.ts";
import type { Log } from "../log.ts";
import { HangProbe, type Probing } from "./hang-probe.ts";
import { getFromOllama, type OllamaAnswer } from "./inventory-fetch.ts";
import { fingerprintOf, installedOf, loadedOf, versionOf } from "./inventory-parse.ts";

export type InventoryOptions = {
  /** URL of Ollama, e.g. `http://127.0.0.1:11434`. */
  base: URL;
  log: Log;
  /** Called when the models, the loaded models, the version or the reachability changed. */
  onChange: (inventory: Inventory) => void;
  /** Finds out between two polls that Ollama hangs. */
  silence?: Probing;
  /** Called after every poll that read the models in memory. */
  onPoll?: (inventory: Inventory) => void;
  /** Takes every answer to `/api/tags`. */
  onListing?: (answer: unknown) => void;
  /** Wall clock, unix ms. */
  now?: () => number;
  /** Pause between two polls of the loaded models, ms. */
  pollMs?: number;
  /** Number of polls between two requests for data that rarely changes: models on disk, version. */
  pollsPerListing?: number;
  /** Time limit of one answer, ms. */
  timeoutMs?: number;
};

export const POLL_MS = 5_000;
/** Ollama loads and unloads in its own time: when to look for a change that is due. */
const EXPECTED_AFTER_MS = [0, 100, 300, 1_000];
/** A model leaves the memory a moment after its time. */
const EXPIRED_AFTER_MS = 200;
export const POLLS_PER_LISTING = 6;
const TIMEOUT_MS = 5_000;
/** An Ollama that hangs is noticed by the models in memory and the version, which both time out. */
export const HANG_NOTICED_MS = 2 * TIMEOUT_MS;

export class InventoryPoller {
  readonly #options: Required<Omit<InventoryOptions, "silence">>;
  readonly #hangProbe: HangProbe | null;
  #inventory: Inventory;
  #fingerprint: string | null = null;
  /**
   * The poll in progress, and one waiting for it: polls never overlap, however many are requested.
   */
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #pollsToListing = 0;
  /** The poll that is waiting requests everything. */
  #isListingWanted = false;
  /** The models that {@link expect} looks for. */
  readonly #expected = new Map<string, { isLoaded: boolean; found: Promise<void> }>();
  #timer: NodeJS.Timeout | null = null;
  #isStarted = false;
  #isStopped = false;

  constructor({ silence, ...options }: InventoryOptions) {
    this.#options = {
      onListing: () => {},
      onPoll: () => {},
      now: Date.now,
      pollMs: POLL_MS,
      pollsPerListing: POLLS_PER_LISTING,
      timeoutMs: TIMEOUT_MS,
      ...options,
    };
    const hung = {
      onHung: (reason: string) => this.#unreachable(reason),
      onBack: () => void this.refresh(),
    };
    this.#hangProbe =
      silence === undefined ? null : new HangProbe({ base: options.base, silence, ...hung });
    const error = "Ollama has not been polled yet";
    this.#inventory = {
      at: this.#time(),
      reachable: false,
      error,
      ollama_version: null,
      models: [],
      loaded: [],
    };
  }

  /** Polls now, then at regular intervals. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#isStopped = false;
    this.#hangProbe?.start();
    void this.refresh();
  }

  /** Stops polling. The result of a poll in progress is discarded. */
  stop(): void {
    this.#isStarted = false;
    this.#isStopped = true;
    this.#hangProbe?.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  latest(): Inventory {
    return this.#inventory;
  }

  /** False until the first poll has ended: whether Ollama answers is unknown, and so are its models. */
  get hasPolled(): boolean {
    return this.#fingerprint !== null;
  }

  /** Returns whether a model was in memory at the last poll. */
  hasLoaded(model: string): boolean {
    return this.#inventory.loaded.some(({ name }) => withTag(name) === withTag(model));
  }

  /**
   * Requests everything as soon as the poll in progress ends. Resolves when {@link latest} has the
   * answers.
   */
  refresh(): Promise<void> {
    if (this.#current === null) {
      this.#pollsToListing = 0;
      return this.#begin();
    }
    const next = this.#pollSoon();
    this.#isListingWanted = true;
    return next;
  }

  /** Polls at once, and a few times more, until a model is in memory, or no longer is. */
  expect(model: string, isLoaded: boolean): Promise<void> {
    const known = this.#expected.get(model);
    if (known?.isLoaded === isLoaded) return known.found;
    const expected = { isLoaded, found: Promise.resolve() };
    this.#expected.set(model, expected);
    expected.found = this.#look(model, isLoaded, () => this.#expected.get(model) === expected);
    return expected.found;
  }

  async #look(model: string, isLoaded: boolean, isWanted: () => boolean): Promise<void> {
    const isDone = () => this.#isStopped || this.hasLoaded(model) === isLoaded || !isWanted();
    for (const afterMs of EXPECTED_AFTER_MS) {
      if (afterMs > 0 && !isDone()) await delay(afterMs);
      if (!isDone()) await this.#pollSoon();
    }
    if (isWanted()) this.#expected.delete(model);
  }

  #pollSoon(): Promise<void> {
    if (this.#current === null) return this.#begin();
    this.#next ??= this.#current.then(() => {
      this.#next = null;
      if (this.#isListingWanted) this.#pollsToListing = 0;
      this.#isListingWanted = false;
      return this.#begin();
    });
    return this.#next;
  }

  #begin(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#current = this.#poll().finally(() => {
      this.#current = null;
      if (this.#isStarted && this.#next === null)
        this.#timer = setTimeout(() => void this.#begin(), this.#pauseMs());
    });
    return this.#current;
  }

  /** Until the next poll: earlier if a model expires before it. */
  #pauseMs(): number {
    const { pollMs, now } = this.#options;
    const nowMs = now();
    const expiries = this.#inventory.loaded
      .map(({ expires_at }) => Date.parse(expires_at ?? "") + EXPIRED_AFTER_MS - nowMs)
      .filter((ms) => ms > 0);
    return Math.min(pollMs, ...expiries);
  }

  async #poll(): Promise<void> {
    const running = await this.#get("/api/ps");
    const loaded = running.ok ? loadedOf(running.body) : null;
    // While a model is loaded or unloaded, `/api/ps` waits for Ollama's scheduler; the version does
    // not.
    const isBusy = !running.ok && running.timedOut;
    const isListingDue = this.#pollsToListing === 0 || this.#hasUnlisted(loaded ?? []);
    const version = isListingDue || isBusy ? await this.#get("/api/version") : null;
    if (loaded === null && !(isBusy && version?.ok === true)) {
      this.#unreachable(
        running.ok ? "Ollama's answer to /api/ps is not a list of models" : running.reason,
      );
      return;
    }
    const tags = isListingDue ? await this.#get("/api/tags") : null;
    const models = tags?.ok === true ? installedOf(tags.body) : null;
    if (tags?.ok === true) this.#options.onListing(tags.body);
    const isListed = !isListingDue || models !== null;
    this.#pollsToListing = isListed
      ? (this.#pollsToListing || this.#options.pollsPerListing) - 1
      : 0;
    const before = this.#inventory;
    this.#set({
      at: this.#time(),
      reachable: true,
      error: null,
      ollama_version:
        (version?.ok === true ? versionOf(version.body) : null) ?? before.ollama_version,
      models: models ?? before.models,
      loaded: loaded ?? before.loaded,
    });
    if (loaded !== null) this.#options.onPoll(this.#inventory);
  }

  /**
   * Returns whether a model came into memory that was created after the last listing. One that is
   * deleted while in memory is in no listing, so it counts only when it is new.
   */
  #hasUnlisted(loaded: Inventory["loaded"]): boolean {
    const isListed = (name: string) => this.#inventory.models.some((model) => model.name === name);
    return loaded.some(({ name }) => !isListed(name) && !this.hasLoaded(name));
  }

  #get(path: string): Promise<OllamaAnswer> {
    return getFromOllama(this.#options.base, path, this.#options.timeoutMs);
  }

  #unreachable(error: string): void {
    // It may come back as another version with other models, so request everything next time.
    this.#pollsToListing = 0;
    this.#set({ ...this.#inventory, at: this.#time(), reachable: false, error, loaded: [] });
  }

  #set(inventory: Inventory): void {
    if (this.#isStopped) return;
    const before = this.#inventory;
    this.#inventory = inventory;
    if (inventory.reachable && !before.reachable)
      this.#options.log("info", "ollama_reachable", { version: inventory.ollama_version });
    if (!inventory.reachable && inventory.error !== before.error) {
      this.#options.log("warn", "ollama_unreachable", { reason: inventory.error });
    }
    const fingerprint = fingerprintOf(inventory);
    if (fingerprint === this.#fingerprint) return;
    this.#fingerprint = fingerprint;
    this.#options.onChange(inventory);
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString();
  }
}
