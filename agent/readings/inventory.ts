/**
 * The inventory poller: asks the local Ollama what it has, again and again, one question at a time.
 *
 * An Ollama that does not answer is a state, with the reason in words, and ends by itself.
 * What is on disk stays listed meanwhile (it is still there); what is loaded does not.
 */
import type { Inventory } from "../../protocol/inventory.ts";
import type { Log } from "../log.ts";
import { getFromOllama, type OllamaAnswer } from "./inventory-fetch.ts";
import { fingerprintOf, installedOf, loadedOf, versionOf } from "./inventory-parse.ts";

export type InventoryOptions = {
  /** Where Ollama is, e.g. `http://127.0.0.1:11434`. */
  base: URL;
  log: Log;
  /** The models, the loaded ones, the version or the reachability are not what they were. */
  onChange: (inventory: Inventory) => void;
  /** Wall clock, unix ms. */
  now?: () => number;
  /** Pause between two polls of what is loaded, ms. */
  pollMs?: number;
  /** Every how many polls the lists that change seldom (models on disk, version) are asked for too. */
  pollsPerListing?: number;
  /** How long one answer may take, ms. */
  timeoutMs?: number;
};

const POLL_MS = 5_000;
const POLLS_PER_LISTING = 6;
const TIMEOUT_MS = 5_000;

export class InventoryPoller {
  readonly #options: Required<InventoryOptions>;
  #inventory: Inventory;
  #fingerprint: string | null = null;
  /** The poll in progress, and one that waits for it; so polls never overlap, however often they are asked for. */
  #current: Promise<void> | null = null;
  #next: Promise<void> | null = null;
  #pollsToListing = 0;
  #timer: NodeJS.Timeout | null = null;
  #isStarted = false;
  #isStopped = false;

  constructor(options: InventoryOptions) {
    this.#options = {
      now: Date.now,
      pollMs: POLL_MS,
      pollsPerListing: POLLS_PER_LISTING,
      timeoutMs: TIMEOUT_MS,
      ...options,
    };
    const error = "Ollama was not asked yet";
    this.#inventory = {
      at: this.#time(),
      reachable: false,
      error,
      ollama_version: null,
      models: [],
      loaded: [],
    };
  }

  /** Polls now and from now on. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    this.#isStopped = false;
    void this.refresh();
  }

  /** No poll begins after this; one in progress changes nothing any more. */
  stop(): void {
    this.#isStarted = false;
    this.#isStopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  latest(): Inventory {
    return this.#inventory;
  }

  /** Asks for everything as soon as the poll in progress is over. Resolves when {@link latest} shows the answers. */
  refresh(): Promise<void> {
    const begin = () => {
      this.#next = null;
      this.#pollsToListing = 0;
      return this.#begin();
    };
    if (this.#current === null) return begin();
    this.#next ??= this.#current.then(begin);
    return this.#next;
  }

  #begin(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#current = this.#poll().finally(() => {
      this.#current = null;
      if (this.#isStarted && this.#next === null)
        this.#timer = setTimeout(() => void this.#begin(), this.#options.pollMs);
    });
    return this.#current;
  }

  async #poll(): Promise<void> {
    const running = await this.#ask("/api/ps");
    const loaded = running.ok ? loadedOf(running.body) : null;
    // While a model is loaded or unloaded, `/api/ps` waits for Ollama's scheduler; the version does not.
    const isBusy = !running.ok && running.timedOut;
    const isListingDue = this.#pollsToListing === 0;
    const version = isListingDue || isBusy ? await this.#ask("/api/version") : null;
    if (loaded === null && !(isBusy && version?.ok === true)) {
      this.#unreachable(
        running.ok ? "Ollama's answer to /api/ps is not a list of models" : running.reason,
      );
      return;
    }
    const tags = isListingDue ? await this.#ask("/api/tags") : null;
    const models = tags?.ok === true ? installedOf(tags.body) : null;
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
  }

  #ask(path: string): Promise<OllamaAnswer> {
    return getFromOllama(this.#options.base, path, this.#options.timeoutMs);
  }

  #unreachable(error: string): void {
    // It may come back as another version with other models: ask for all of it then.
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
