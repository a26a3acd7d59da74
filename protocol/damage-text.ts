/** English for the concerns about hidden damage; see `concern-text.ts`. */
import type { ConcernOf } from "./concern.ts";
import type { ConcernFormats } from "./concern-text.ts";

type DamageCode = "models_reloading" | "prompts_truncated" | "cold_starts" | "model_slow";

export function damagePredicate(
  concern: ConcernOf<DamageCode>,
  { count, percent, duration }: ConcernFormats,
): string {
  switch (concern.code) {
    case "models_reloading": {
      const { loads, minutes, lost_ms, lost_wh, pair } = concern.params;
      const [a, b] = pair.map(({ model, context_length, key }) => {
        const context =
          context_length === null ? "" : ` with a context of ${count(context_length)}`;
        return `${model}${context}${by(key)}`;
      });
      const lost = `${duration(lost_ms)}${wattHours(lost_wh)} lost`;
      const isOne = pair[0]?.model === pair[1]?.model;
      const advice = isOne ? "use one num_ctx" : "move one to another box";
      return `reloaded models ${count(loads)} times in ${minutes} minutes (${lost}): ${a} and ${b} push each other out. Have callers ${advice}`;
    }
    case "prompts_truncated": {
      const { truncated, requests, minutes, context_length, prompt_chars, key } = concern.params;
      const long = prompt_chars === null ? "" : `, of up to ${count(prompt_chars)} characters,`;
      return `read only a part of ${count(truncated)} of ${count(requests)} prompts in ${minutes} minutes${by(key)}: they${long} do not fit into its context of ${count(context_length)} tokens. Raise num_ctx`;
    }
    case "cold_starts": {
      const { loads, requests, hours, lost_ms, lost_wh, key, keep_alive_s } = concern.params;
      const { replay_hours, replay_loads, saved_loads, saved_ms, saved_wh } = concern.params;
      const lost = `${duration(lost_ms)}${wattHours(lost_wh)} lost`;
      const holding = concern.params.holding_wh;
      const cost = holding === null ? "" : `, for at most ${watts(holding)}`;
      const advice =
        keep_alive_s === null
          ? "no keep_alive would have helped"
          : `keep_alive ${keepAlive(keep_alive_s)} would have saved ${count(saved_loads)} of ${replay_loads === null ? "them" : `${count(replay_loads)} loads in ${replay_hours} hours`}, ${duration(saved_ms)}${wattHours(saved_wh)}${cost}`;
      return `was loaded ${count(loads)} times for ${count(requests)} requests in ${hours} hours${by(key)} (${lost}): ${advice}`;
    }
    case "model_slow": {
      const { tokens_per_second, median_tokens_per_second, cause } = concern.params;
      const [now, usual] = [tokens_per_second, median_tokens_per_second].map(rate);
      const slower = percent(1 - tokens_per_second / median_tokens_per_second);
      return `makes ${now} tokens/s instead of ${usual}, ${slower} fewer: ${CAUSES[cause]}`;
    }
  }
}

const CAUSES: Record<ConcernOf<"model_slow">["params"]["cause"], string> = {
  heat: "a GPU is throttled by heat. Check fans and dust",
  power: "a GPU is throttled by its power limit",
  cpu: "a part of it runs on the CPU",
  neighbour: "other work uses the GPU at the same time",
  unknown: "the cause is not known",
};

const by = (key: string | null): string => (key === null ? "" : ` by ${key}`);
const watts = (wh: number): string => `${Math.round(10 * wh) / 10} Wh`;
const wattHours = (wh: number | null): string => (wh === null ? "" : ` and ${watts(wh)}`);
const rate = (value: number): string => String(Math.round(10 * value) / 10);

/** As Ollama takes it. */
const keepAlive = (seconds: number): string =>
  seconds < 3_600 ? `${seconds / 60}m` : `${seconds / 3_600}h`;
