/** English for events: one sentence each, for `/api/events` and messages. Pure. */
import { type ConcernFormats, concernText } from "./concern-text.ts";
import type { NewEvent } from "./events.ts";

/** @param formats  the same as for concerns */
export function eventText(event: NewEvent, formats: ConcernFormats): string {
  const { duration, count, bytes, percent } = formats;
  const box = `Box ${event.box}`;
  const model = `${event.model} on ${event.box}`;
  const after = (ms: number | null) => (ms === null ? "" : ` after ${duration(ms)}`);
  const change = ({ from, to }: { from: string | null; to: string | null }) =>
    from === null ? `to ${to}` : `from ${from} to ${to}`;
  switch (event.kind) {
    case "edge_updated":
      return event.params.from === null
        ? `The edge started with version ${event.params.to}`
        : `The edge was updated ${change(event.params)}`;
    case "box_added":
      return `${box} connected for the first time`;
    case "tunnel_cut":
      return event.params.planned
        ? `${box} disconnected because its agent was stopped`
        : `${box} lost its tunnel`;
    case "tunnel_back": {
      const { away_ms, requests_kept, requests_lost } = event.params;
      const cost =
        requests_lost > 0
          ? `${count(requests_lost)} ${requests_lost === 1 ? "request" : "requests"} failed`
          : requests_kept > 0
            ? `${count(requests_kept)} ${requests_kept === 1 ? "request" : "requests"} went on, none was lost`
            : "no request was lost";
      return `${box} has its tunnel again${after(away_ms)}: ${cost}`;
    }
    case "agent_restarted":
      return `${box} has a new start of its agent${after(event.params.away_ms)}`;
    case "agent_updated":
      return `${box} updated its agent ${change(event.params)}`;
    case "ollama_lost":
      return `${box} cannot reach its Ollama: ${event.params.error ?? "unknown error"}`;
    case "ollama_back":
      return `${box} reaches its Ollama again${after(event.params.away_ms)}`;
    case "ollama_updated":
      return `${box} updated its Ollama ${change(event.params)}`;
    case "model_pulled":
      return `${model} was pulled`;
    case "model_deleted":
      return `${model} was deleted from the disk`;
    case "model_loaded": {
      const { context_length, size_bytes, gpu_share } = event.params;
      const facts = [
        ...(size_bytes === null ? [] : [bytes(size_bytes)]),
        ...(context_length === null ? [] : [`context ${count(context_length)}`]),
        ...(gpu_share === null || gpu_share >= 1 ? [] : [`${percent(1 - gpu_share)} on the CPU`]),
      ];
      return `${model} was loaded${facts.length === 0 ? "" : ` (${facts.join(", ")})`}`;
    }
    case "model_reloaded":
      return `${model} was loaded again with context ${count(event.params.to)} instead of ${count(event.params.from)}`;
    case "model_unloaded":
      return `${model} was unloaded`;
    case "concern_opened":
      return sentence(event.params.concern, formats);
    case "concern_closed":
      return `Over after ${duration(event.params.lasted_ms)}: ${sentence(event.params.concern, formats)}`;
  }
}

function sentence(concern: Parameters<typeof concernText>[0], formats: ConcernFormats): string {
  const { title, predicate } = concernText(concern, formats);
  return `${title} ${predicate}`;
}
