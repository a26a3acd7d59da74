/** Varied records and samples, the same in every run. */
import type { RequestRecord, Status } from "../../protocol/records.ts";
import { gpuOf, recordOf, systemOf } from "../support/records.ts";
import { seeded } from "../support/seeded.ts";

export const NOW = Date.UTC(2026, 10, 24, 12, 0, 30);
export const COUNT = 400;

export function someRecords(): RequestRecord[] {
  const random = seeded(5);
  const pick = <Item>(items: readonly Item[]): Item =>
    items[Math.floor(random() * items.length)] as Item;
  const statuses: Status[] = ["success", "success", "success", "error", "cancelled"];
  return Array.from({ length: COUNT }, (_, n) =>
    recordOf(
      NOW - 3_600_000 + Math.floor(random() * 3_500_000),
      {
        status: pick(statuses),
        model: pick(["llama3.2", "llama3.2:latest", "qwen3:8b", null]),
        box: pick(["atlas", "basil", null]),
        endpoint: pick(["/api/chat", "/v1/chat/completions", "/api/tags"]),
        prompt_tokens: pick([null, 3, 50]),
        completion_tokens: pick([null, 0, 200]),
        // Whole numbers: a sum of fractions depends on the order.
        latency_ms: Math.round(random() * 90_000),
        ttft_ms: pick([null, Math.round(random() * 1_000)]),
        energy_j: pick([null, 12.5]),
        prompt: pick(["Hello", 'Die strasse" \\ dort', "x".repeat(5_000)]),
        error_message: pick([null, "it broke"]),
        key_id: pick([null, "caller", "admin"]),
        end_user: `user "${n % 5}"`,
        session_id: n % 7 === 0 ? null : `session-${n % 7}`,
      },
      n,
    ),
  );
}

/** Samples of two boxes, one with two GPUs, with gaps and unknown figures. */
export function someSamples() {
  const random = seeded(7);
  const known = (most: number) => (random() < 0.2 ? null : Math.round(random() * most));
  return Array.from({ length: 200 }, (_, n) => {
    const box = n % 3 === 0 ? "basil" : "atlas";
    const atMs = NOW - 3_600_000 + Math.floor(random() * 3_500_000);
    const gpu = (index: number) =>
      gpuOf(box, atMs, {
        energy_j: known(3_000),
        temperature_max_c: known(90),
        utilization_max_percent: known(100),
        index,
        name: `GPU ${index}`,
        utilization_percent: known(100),
        memory_used_mb: known(24_576),
        power_draw_w: known(350),
      });
    const figures = {
      cpu_percent: known(100),
      cpu_count_logical: n % 5 === 0 ? null : 16,
      memory_used_bytes: known(2 ** 36),
      queued: n % 4,
    };
    return {
      box,
      gpu: n % 7 === 0 ? [] : box === "atlas" ? [gpu(0), gpu(1)] : [gpu(0)],
      system: [systemOf(atMs, figures)],
    };
  });
}
