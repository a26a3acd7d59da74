/**
 * Changes keys, and passes their ends to the Boxes as soon as they change. A Box that cannot be reached is being
 * moved: its agent connects again, and the Box then gets them with the settings.
 */
import type { Bindings } from "../env.ts";
import type { KeyEnds } from "../keys/ends.ts";
import { retried } from "../retried.ts";
import { readMeta, writeMeta } from "../storage/meta.ts";
import { changeKeys, deletes, type KeysChange, type KeysChanged } from "./changing-keys.ts";
import { KeyUses } from "./key-uses.ts";
import type { AggregatorStores } from "./stores.ts";

/** The version of the keys that was passed on last. */
const TOLD = "issued_keys_told";

/** A Box that is being moved or restarted fails the first call, not the second. */
const WAITS_MS = [0, 100, 400];

/** Nobody waits longer for a Box that does not answer. */
const PASSED_WITHIN_MS = 1_000;

/** The part of a Box that takes the ends of keys. The room of the Box is above this one. */
type TakesEnds = { settleKeys(ends: KeyEnds): Promise<void> };

export class KeyNews {
  readonly #sql: SqlStorage;
  readonly #env: Bindings;
  readonly #stores: AggregatorStores;
  readonly uses: KeyUses;

  constructor(ctx: DurableObjectState, env: Bindings, stores: AggregatorStores) {
    this.uses = new KeyUses(ctx, env, stores);
    this.#sql = ctx.storage.sql;
    this.#env = env;
    this.#stores = stores;
    ctx.waitUntil(this.pass()); // the object may have been killed after a change
  }

  /**
   * Makes or changes a key. Resolves when the Boxes know it too.
   * @param write  runs the part that writes
   */
  async change(
    change: KeysChange,
    write: (make: () => KeysChanged) => Promise<KeysChanged>,
  ): Promise<KeysChanged> {
    const { issuedKeys } = this.#stores;
    // Its counts are deleted before the key, which nobody can delete again.
    if (deletes(change, issuedKeys, Date.now())) await this.uses.forget(change.id);
    const outcome = await write(() => changeKeys(this.#stores, change, Date.now()));
    await this.pass();
    return outcome;
  }

  /** Resolves when each connected Box knows the ends of the keys, or after a second. */
  async pass(): Promise<void> {
    const { issuedKeys, registry } = this.#stores;
    const { ends } = issuedKeys;
    if ((readMeta(this.#sql, TOLD) ?? 0) >= ends.version) return;
    const connected = registry.boxes().filter(({ state }) => state !== "down");
    const passed = Promise.all(connected.map(({ name }) => this.#passTo(name, ends)));
    await Promise.race([passed, scheduler.wait(PASSED_WITHIN_MS)]);
    writeMeta(this.#sql, TOLD, ends.version);
  }

  async #passTo(box: string, ends: KeyEnds): Promise<void> {
    const onError = (error: unknown) =>
      console.warn(JSON.stringify({ event: "keys_not_passed", box, why: String(error) }));
    const passing = () => (this.#env.BOX.getByName(box) as unknown as TakesEnds).settleKeys(ends);
    await retried(WAITS_MS, passing, { onError }).catch(() => {});
  }
}
