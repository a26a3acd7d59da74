/** The memory that models took on any box, by their build and context: learned from readings. */
import * as z from "zod";
import { type Inventory, withTag } from "../../protocol/inventory.ts";
import type { MeasuredMemory } from "../../protocol/model-memory.ts";

/** Contexts of builds. The oldest are forgotten. */
const MEASURED_MAX = 2_000;
/** Ollama's count differs a little from load to load. Only a larger difference is written. */
const SAME = 0.01;

const Row = z.object({ digest: z.string(), context_length: z.number(), bytes: z.number() });

export class ModelMemory {
  readonly #sql: SqlStorage;
  readonly #known = new Map<string, Map<number, number>>();

  constructor(sql: SqlStorage) {
    this.#sql = sql;
    for (const row of sql.exec("SELECT digest, context_length, bytes FROM model_memory").toArray())
      this.#know(Row.parse(row));
  }

  /** Writes a row for each build and context that is new, and for one whose memory has changed. */
  learn({ models, loaded }: Inventory, nowMs: number): void {
    for (const { name, size_bytes: bytes, context_length } of loaded) {
      const digest = models.find((model) => withTag(model.name) === withTag(name))?.digest ?? null;
      if (digest === null || bytes === null || bytes === 0 || !context_length) continue;
      const before = this.#known.get(digest)?.get(context_length) ?? 0;
      if (Math.abs(bytes - before) <= SAME * bytes) continue;
      this.#sql.exec(
        "INSERT OR REPLACE INTO model_memory (digest, context_length, bytes, at_ms) VALUES (?, ?, ?, ?)",
        digest,
        context_length,
        Math.round(bytes),
        nowMs,
      );
      this.#know({ digest, context_length, bytes });
      this.#sql.exec(
        `DELETE FROM model_memory WHERE (digest, context_length) NOT IN
           (SELECT digest, context_length FROM model_memory ORDER BY at_ms DESC LIMIT ?)`,
        MEASURED_MAX,
      );
    }
  }

  /** Returns the memory of a build, one for each context. */
  of(digest: string): MeasuredMemory[] {
    return [...(this.#known.get(digest) ?? [])].map(([context_length, bytes]) => ({
      context_length,
      bytes,
    }));
  }

  #know({ digest, context_length, bytes }: z.infer<typeof Row>): void {
    const contexts = this.#known.get(digest) ?? new Map<number, number>();
    this.#known.set(digest, contexts.set(context_length, bytes));
  }
}
