/** Settings changed at run time. They override the deployed ones until they are reset. */
import * as z from "zod";
import type { ConfigPatch } from "../../protocol/api/config.ts";
import { RunTimeSettings } from "../settings.ts";
import { jsonText } from "../storage/json-text.ts";

const Row = z.object({ settings: jsonText(RunTimeSettings) });

export class RunTimeSettingsStore {
  readonly #sql: SqlStorage;
  #settings: RunTimeSettings;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    const [row] = sql.exec("SELECT settings FROM run_time_settings").toArray();
    this.#settings = row === undefined ? RunTimeSettings.parse({}) : Row.parse(row).settings;
  }

  get(): RunTimeSettings {
    return this.#settings;
  }

  patch(patch: ConfigPatch, nowMs: number): RunTimeSettings {
    const { changed_at_ms: _, ...before } = this.#settings;
    const after = { ...before, ...patch };
    const isAsDeployed = Object.values(after).every((value) => value === null);
    const settings = RunTimeSettings.parse({
      ...after,
      changed_at_ms: isAsDeployed ? null : nowMs,
    });
    this.#sql.exec(
      "INSERT OR REPLACE INTO run_time_settings (id, settings) VALUES (1, ?)",
      JSON.stringify(settings),
    );
    this.#settings = settings;
    return settings;
  }
}
