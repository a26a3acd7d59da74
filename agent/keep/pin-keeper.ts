/**
 * Decides what to do for the pins of a box: which model to load, and which to renew before Ollama
 * unloads it. Pure: the caller passes in the times and what is known of Ollama.
 *
 * Each request keeps its model in memory for a quarter of an hour at most, and not beyond the hours of
 * the pin. So nothing has to be undone, whatever is restarted or lost.
 */
import { hoursLeftMs } from "../../protocol/day-hours.ts";
import {
  embedsOnly,
  type InstalledModel,
  type Inventory,
  type LoadedModel,
  withTag,
} from "../../protocol/inventory.ts";
import type { Pin, PinReport, PinState } from "../../protocol/pin.ts";

/** A request to Ollama that loads a model or keeps it. */
export type KeepAction = {
  isLoad: boolean;
  model: string;
  /** Ollama refuses to load such a model by any other call. */
  embedsOnly: boolean;
  keepAliveSeconds: number;
  /** Null for Ollama's default. */
  contextLength: number | null;
};

/** The present, as the keeper needs it. */
export type KeptWorld = {
  /** Monotonic ms. */
  nowMs: number;
  /** Unix ms by the edge's clock, for the hours. */
  edgeMs: number;
  /** Unix ms by the clock of this machine, which `expires_at` follows. */
  boxMs: number;
  inventory: Inventory;
  /** The models that requests use or wait for, with their tags. */
  inUse: ReadonlySet<string>;
};

/** Time in memory that follows one request, at most, after an agent has died. */
const KEEP_MS = 15 * 60_000;
/** Ollama's default keeps a model for 5 minutes after each request of a caller. */
const RENEW_BEFORE_MS = 2 * 60_000;
/** A renewal shows in `expires_at` at the next poll, or after the requests that use the model. */
const RENEW_AGAIN_MS = 60_000;
/** Shorter hours are over. */
const SHORTEST_MS = 30_000;
/** How long a load waits for requests of other models to end. */
const PATIENCE_MS = 30_000;
/** The pause after a failure, and after another model has taken the place: doubled each time. */
const PAUSE_MS = 30_000;
const PAUSE_MS_MAX = 15 * 60_000;
/** A model that stayed for this long is well: the next pause is short again. */
const STEADY_MS = 10 * 60_000;
/** After this many setbacks in a row the pin has failed, and people should know. */
const SETBACKS_MAX = 3;
/** Clocks and polls are not exact. */
const SLACK_MS = 10_000;

type Kept = {
  state: PinState;
  reason: string | null;
  /** When the model had to be loaded; null while it is in memory. Monotonic ms, like the others. */
  dueMs: number | null;
  notBeforeMs: number;
  setbacks: number;
  loaded: { sinceMs: number; expiresMs: number } | null;
  /** The context of the last load: as requested, and as Ollama listed it then. */
  own: { sent: number | null; listed: number | null } | null;
};

const fresh = (): Kept => ({
  state: "waiting",
  reason: null,
  dueMs: null,
  notBeforeMs: 0,
  setbacks: 0,
  loaded: null,
  own: null,
});

export class PinKeeper {
  /** Null until the edge has sent them. */
  #pins: readonly Pin[] | null = null;
  readonly #kept = new Map<string, Kept>();

  set pins(pins: readonly Pin[]) {
    this.#pins = pins;
    const names = new Set(pins.map(({ model }) => withTag(model)));
    for (const name of this.#kept.keys()) if (!names.has(name)) this.#kept.delete(name);
  }

  /** Returns the state of each pin, for the readings. */
  get reports(): PinReport[] | null {
    return (
      this.#pins?.map(({ model }) => {
        const { state, reason } = this.#keptOf(model);
        return { model, state, reason };
      }) ?? null
    );
  }

  /** Returns the next request, if one is due, and brings the states up to date. */
  next(world: KeptWorld): KeepAction | null {
    let first: KeepAction | null = null;
    for (const pin of this.#pins ?? []) {
      const action = this.#step(pin, world, first === null);
      first ??= action;
    }
    return first;
  }

  /** Ollama has carried out an action, and this inventory shows it. */
  done(action: KeepAction, { loaded }: Pick<Inventory, "loaded">, nowMs: number): void {
    const { model, isLoad, contextLength, keepAliveSeconds } = action;
    const kept = this.#keptOf(model);
    kept.notBeforeMs = nowMs + RENEW_AGAIN_MS;
    if (!isLoad) return;
    const listed = loaded.find(({ name }) => withTag(name) === withTag(model));
    kept.own = { sent: contextLength, listed: listed?.context_length ?? null };
    kept.loaded = { sinceMs: nowMs, expiresMs: nowMs + keepAliveSeconds * 1_000 };
  }

  /** An action has failed. */
  failed({ model }: KeepAction, reason: string, nowMs: number): void {
    this.#setBack(this.#keptOf(model), reason, nowMs);
  }

  #step(pin: Pin, world: KeptWorld, mayAct: boolean): KeepAction | null {
    const { edgeMs, inventory } = world;
    const kept = this.#keptOf(pin.model);
    let leftMs: number;
    try {
      leftMs = hoursLeftMs(pin.hours, pin.time_zone, edgeMs);
    } catch {
      return show(kept, "failed", `This agent does not know the time zone ${pin.time_zone}.`);
    }
    if (leftMs < SHORTEST_MS) {
      Object.assign(kept, fresh());
      return show(kept, "off", null);
    }
    if (!inventory.reachable) {
      // A restart of Ollama is nobody's push.
      Object.assign(kept, { loaded: null, notBeforeMs: 0 });
      return show(kept, "waiting", "Ollama does not answer.");
    }
    const loaded = inventory.loaded.find(({ name }) => withTag(name) === withTag(pin.model));
    return loaded === undefined
      ? this.#absent(pin, kept, leftMs, world, mayAct)
      : this.#present(pin, kept, loaded, leftMs, world, mayAct);
  }

  #present(
    pin: Pin,
    kept: Kept,
    loaded: LoadedModel,
    leftMs: number,
    { nowMs, boxMs, inUse, inventory }: KeptWorld,
    mayAct: boolean,
  ): KeepAction | null {
    const { context_length, expires_at } = loaded;
    const unixMs = expires_at === null ? Number.NaN : Date.parse(expires_at);
    const expiresInMs = Number.isNaN(unixMs) ? Number.POSITIVE_INFINITY : unixMs - boxMs;
    kept.loaded = {
      sinceMs: kept.loaded?.sinceMs ?? nowMs,
      expiresMs: nowMs + expiresInMs,
    };
    if (nowMs - kept.loaded.sinceMs > STEADY_MS) kept.setbacks = 0;
    kept.dueMs = null;
    show(kept, "loaded", null);
    const isUsed = inUse.has(withTag(pin.model));
    if (!mayAct || isUsed || nowMs < kept.notBeforeMs) return null;
    const isOwn = kept.own !== null && kept.own.listed === context_length;
    const isShort =
      pin.context_length !== null && context_length !== null && context_length < pin.context_length;
    // Our own load got as much as the model takes.
    if (isShort && !isOwn && inUse.size === 0)
      return actionOf(pin, true, leftMs, pin.context_length, inventory);
    if (expiresInMs > RENEW_BEFORE_MS || expiresInMs + SLACK_MS > leftMs) return null;
    // Any other context would make Ollama load the model again.
    const sent = isOwn ? (kept.own?.sent ?? null) : context_length;
    return actionOf(pin, false, leftMs, sent, inventory);
  }

  #absent(
    pin: Pin,
    kept: Kept,
    leftMs: number,
    { nowMs, inventory, inUse }: KeptWorld,
    mayAct: boolean,
  ): KeepAction | null {
    const wasPushedOut = kept.loaded !== null && nowMs < kept.loaded.expiresMs - SLACK_MS;
    kept.loaded = null;
    // With nothing else in memory, Ollama was restarted between two polls, or somebody unloaded it.
    const isTaken = inventory.loaded.length > 0;
    if (wasPushedOut && isTaken) this.#setBack(kept, "Another model took its place.", nowMs);
    else if (wasPushedOut) this.#setBack(kept, "It was unloaded.", nowMs, kept.setbacks > 0);
    kept.dueMs ??= nowMs;
    if (installedIn(inventory, pin) === undefined)
      return show(kept, "failed", "The model is not on this box.");
    if (nowMs < kept.notBeforeMs)
      return show(kept, kept.setbacks >= SETBACKS_MAX ? "failed" : "waiting", kept.reason);
    const isBusy = inUse.size > 0 && !inUse.has(withTag(pin.model));
    if (isBusy && nowMs - kept.dueMs < PATIENCE_MS)
      return show(kept, "waiting", "Requests of other models are open.");
    if (!mayAct) return show(kept, "waiting", "Another model is loaded first.");
    show(kept, "loading", null);
    return actionOf(pin, true, leftMs, pin.context_length, inventory);
  }

  #setBack(kept: Kept, reason: string, nowMs: number, pauses = true): void {
    const pauseMs = pauses ? Math.min(PAUSE_MS * 2 ** kept.setbacks, PAUSE_MS_MAX) : 0;
    kept.setbacks++;
    kept.notBeforeMs = nowMs + pauseMs;
    show(kept, kept.setbacks >= SETBACKS_MAX ? "failed" : "waiting", reason);
  }

  #keptOf(model: string): Kept {
    const name = withTag(model);
    const kept = this.#kept.get(name) ?? fresh();
    this.#kept.set(name, kept);
    return kept;
  }
}

function show(kept: Kept, state: PinState, reason: string | null): null {
  Object.assign(kept, { state, reason });
  return null;
}

const installedIn = ({ models }: Inventory, { model }: Pin): InstalledModel | undefined =>
  models.find(({ name }) => withTag(name) === withTag(model));

function actionOf(
  pin: Pin,
  isLoad: boolean,
  leftMs: number,
  contextLength: number | null,
  inventory: Inventory,
): KeepAction {
  const installed = installedIn(inventory, pin);
  return {
    isLoad,
    model: pin.model,
    embedsOnly: installed !== undefined && embedsOnly(installed),
    keepAliveSeconds: Math.ceil(Math.min(KEEP_MS, leftMs) / 1_000),
    contextLength,
  };
}
