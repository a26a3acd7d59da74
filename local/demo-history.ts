/**
 * The half hour before a demo, as the records of its boxes: the same requests for the same seed. Pure.
 *
 * They are calls to the listeners of the boxes, because no edge was there to take them. Each box reports that
 * it is simulated, so the edge marks them like all others of the demo. Their energy is unknown: no agent has
 * read the power of the GPUs then.
 */
import { type ReportedRecord, UNMEASURED } from "../protocol/records.ts";
import { contextOf, modelNamed } from "../simulated/models.ts";
import { countOf, randomOf, tokens } from "../simulated/text.ts";
import { DEMO_PROMPTS } from "./demo-prompts.ts";
import type { SimulatedBox } from "./simulation.ts";

export const DEMO_HISTORY_MS = 30 * 60_000;
/** Mean time between two calls of a box. */
const EVERY_MS = 9_000;
/** Calls come in waves of this length. */
const WAVE_MS = 11 * 60_000;
/** After a longer pause, a model is no longer in memory. */
const KEPT_MS = 5 * 60_000;
const LOAD_MS_PER_GB = 450;
const FAILED = 0.008;
const CANCELLED = 0.05;
/** Tokens of a prompt that are read in the time of one that is written. */
const PREFILL_SPEEDUP = 25;

/**
 * Returns the finished requests of a box, oldest first.
 * @param endMs  when the history ends, unix ms
 */
export function demoHistory(box: SimulatedBox, endMs: number): ReportedRecord[] {
  const random = randomOf(box.seed);
  const models = box.models.map((name) => modelNamed(name));
  const records: ReportedRecord[] = [];
  const usedMs = new Map<string, number>();
  let freeMs = 0;
  for (let atMs = endMs - DEMO_HISTORY_MS; ; ) {
    const wave = 1 + 0.7 * Math.sin((2 * Math.PI * (endMs - atMs)) / WAVE_MS + box.seed);
    atMs += (-Math.log(1 - random()) * EVERY_MS) / wave;
    const model = models[Math.floor(random() ** 1.6 * models.length)] ?? models[0];
    if (model === undefined) return records;
    const isEmbedding = model.capabilities.includes("embedding");
    const prompt = DEMO_PROMPTS[Math.floor(random() * DEMO_PROMPTS.length)] ?? "";
    const tokenMs = box.tokenMs * model.pace;
    const promptTokens = countOf(prompt) + 12;
    const wanted = isEmbedding ? 0 : Math.round(25 * Math.exp(1.6 * random()));
    const lastMs = usedMs.get(model.name);
    const isCold = lastMs === undefined || atMs - lastMs > KEPT_MS;
    const load = isCold ? (LOAD_MS_PER_GB * model.sizeBytes) / 1e9 : 0;
    // A box with one slot serves one call after the other.
    const queue = box.slots === 1 ? Math.max(0, freeMs - atMs) : 0;
    const prefill = (promptTokens * tokenMs) / PREFILL_SPEEDUP;
    const luck = random();
    const status = luck < FAILED ? "error" : luck < FAILED + CANCELLED ? "cancelled" : "success";
    const written = status === "success" ? wanted : Math.floor(wanted * random());
    const decode = written * tokenMs;
    const latency = queue + load + prefill + decode;
    if (atMs + latency >= endMs) return records;
    usedMs.set(model.name, atMs + latency);
    freeMs = atMs + latency;
    const startedMs = Math.floor(atMs);
    const ended = { success: [200, "stop"], error: [500, null], cancelled: [200, null] } as const;
    const [http_status, done_reason] = ended[status];
    records.push({
      ...UNMEASURED,
      request_id: idOf(startedMs, random),
      started_at: new Date(startedMs).toISOString(),
      box: box.name,
      model: model.name.replace(/:latest$/, ""),
      endpoint: isEmbedding ? "/api/embed" : "/api/chat",
      api: "ollama",
      stream: !isEmbedding,
      status,
      http_status,
      done_reason,
      failed_at: status === "error" ? "ollama" : null,
      error_message: status === "error" ? "llama runner process has terminated" : null,
      prompt,
      response: isEmbedding ? null : textOf(written, box.seed + records.length),
      prompt_tokens: status === "success" ? promptTokens : null,
      completion_tokens: status === "success" && !isEmbedding ? written : null,
      latency_ms: rounded(latency),
      ttft_ms: status === "error" || isEmbedding ? null : rounded(queue + load + prefill + tokenMs),
      queue_ms: rounded(queue),
      load_ms: rounded(load),
      prefill_ms: status === "success" ? rounded(prefill) : null,
      decode_ms: status === "success" && !isEmbedding ? rounded(decode) : null,
      phases_source: status === "success" ? "ollama" : null,
      edge_ms: null,
      key_id: null,
      client_ip: "127.0.0.1",
      user_agent: "demo",
      resumed: 0,
      source: "listener",
      prompt_chars: prompt.length,
      context_length: contextOf(model),
      prompt_truncated: false,
      end_user: null,
      session_id: null,
    });
  }
}

const rounded = (value: number): number => Math.round(100 * value) / 100;

function textOf(count: number, seed: number): string {
  let text = "";
  let left = count;
  for (const token of tokens(seed)) {
    if (left-- <= 0) return text;
    text += token;
  }
  return text;
}

/** A request id of a time, with random bits that repeat for the same seed. */
function idOf(ms: number, random: () => number): string {
  const time = ms.toString(16).padStart(12, "0");
  const bits = (digits: number) =>
    Math.floor(random() * 16 ** digits)
      .toString(16)
      .padStart(digits, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${bits(3)}-8${bits(3)}-${bits(12)}`;
}
