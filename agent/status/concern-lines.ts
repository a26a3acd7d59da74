/** The concerns of a box in English, with the next step for a person at the machine. Pure. */
import type { Concern } from "../../protocol/concern.ts";
import { type ConcernFormats, concernText } from "../../protocol/concern-text.ts";
import type { ConcernCode } from "../../protocol/concerns.ts";
import type { StatusConcern } from "./local-status.ts";

export const START_OLLAMA =
  "Start Ollama, e.g. systemctl start ollama, or set OLLAMA_HOST to its address and restart the agent.";

/** A concern whose sentence already states the next step is not in it. */
const ADVICE: Partial<Record<ConcernCode, string>> = {
  box_draining: "It stops once they are finished. A second signal stops it at once.",
  ollama_unreachable: START_OLLAMA,
  records_unsent: "They are safe on the disk, and leave while the edge is reachable.",
  disk_filling: "Delete models that nobody uses: ollama rm <model>.",
  gpu_lost:
    "Run nvidia-smi, or the tool of your GPU. If it fails too, restart the machine or reload the driver.",
  gpu_hot: "Check fans and air flow, or lower the power limit: nvidia-smi -pl <watts>.",
  gpu_throttled: "Check the cooling and the power supply: nvidia-smi -q -d PERFORMANCE.",
  model_on_cpu:
    "Unload other models (ollama stop <model>), or use a smaller context or quantization.",
  pin_failed: "Make room for the model, or remove its pin on the Models page.",
};

/** For a terminal: rounded, without a locale. */
const FORMATS: ConcernFormats = {
  count: String,
  percent: (rate) => `${Math.round(100 * rate)} %`,
  duration: (ms) => `${Math.round(ms / 1_000)} s`,
  bytes: (bytes) => `${Math.round(bytes / 1e8) / 10} GB`,
  temperature: (celsius) => `${Math.round(celsius)} °C`,
  since: (iso) => `since ${iso}`,
  at: (iso) => `at ${iso}`,
};

export function concernLine(concern: Concern): StatusConcern {
  const { title, predicate } = concernText(concern, FORMATS);
  return {
    code: concern.code,
    severity: concern.severity,
    sentence: `${title} ${predicate}`,
    advice: ADVICE[concern.code] ?? null,
  };
}
