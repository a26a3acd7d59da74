/** The results of benches, bounded: each is a row of a few kilobytes. */
import * as z from "zod";
import type { Bench } from "../../protocol/api/bench.ts";
import { BenchRun } from "../../protocol/bench.ts";
import { withTag } from "../../protocol/inventory.ts";
import { comparedRuns } from "../answers/bench.ts";
import { jsonText } from "../storage/json-text.ts";
import type { CellFilter } from "./cells.ts";

/** A bench a day of each of several models for a year. The oldest are deleted. */
export const BENCH_RUNS_MAX = 1_000;

const Row = z.object({ run: jsonText(BenchRun) });

export class BenchRuns {
  readonly #sql: SqlStorage;

  constructor(sql: SqlStorage) {
    this.#sql = sql;
  }

  add(run: BenchRun): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO bench_runs (id, box, model, run) VALUES (?, ?, ?, ?)",
      run.id,
      run.box,
      withTag(run.model),
      JSON.stringify(run),
    );
    this.#sql.exec(
      "DELETE FROM bench_runs WHERE id NOT IN (SELECT id FROM bench_runs ORDER BY id DESC LIMIT ?)",
      BENCH_RUNS_MAX,
    );
  }

  /** Returns the newest runs, each compared with earlier ones. The ids are in order of time. */
  newest({ model, box }: CellFilter, limit: number): Bench {
    const runs = this.#sql
      .exec(
        "SELECT run FROM bench_runs WHERE (?1 IS NULL OR box = ?1) AND (?2 IS NULL OR model = ?2) ORDER BY id DESC",
        box ?? null,
        model === undefined ? null : withTag(model),
      )
      .toArray()
      .map((row) => Row.parse(row).run);
    return { runs: comparedRuns(runs, limit), kept: BENCH_RUNS_MAX };
  }

  clear(): void {
    this.#sql.exec("DELETE FROM bench_runs");
  }
}
