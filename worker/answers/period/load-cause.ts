/** Why requests waited for models to load: models that alternate, restarts, or pauses. Pure. */
import { mostFrequent } from "../damage/calls.ts";
import { type AwaitedLoad, loadsOf } from "../damage/loads.ts";
import { pairOf } from "../damage/reloads.ts";
import { countText, durationText } from "../wording.ts";
import { boxOf, type Compared, type Grown, type Named, plain } from "./compared.ts";
import { restartOf } from "./surroundings.ts";

/** Fewer are a change of work. */
const RELOADS_MIN = 3;

export function loadCause(grown: Grown, { allCalls, allBefore, events, stretch }: Compared): Named {
  const box = boxOf(grown);
  const loads = loadsOf([...allBefore, ...allCalls].filter((call) => call.box === box)).filter(
    ({ startMs }) => startMs >= stretch.fromMs && startMs <= stretch.toMs,
  );
  const reloads = loads.filter(({ evictor, gapMs }) => evictor !== null && gapMs !== null);
  const pair = pairOf(reloads);
  if (reloads.length >= RELOADS_MIN && pair !== null) {
    const models = [...new Set(pair.map(({ model }) => model))];
    const key = mostFrequent(reloads.map((load) => load.key));
    const names =
      models.length > 1
        ? `${models.join(" and ")} alternate on ${box}`
        : `${models[0]} alternates on ${box} between contexts of ${pair.map(({ context_length }) => context_length ?? "unknown").join(" and ")} tokens`;
    const text = `${names}, ${countText(reloads.length, "reload")}`;
    return { ...plain("reloads", grown), models, key, count: reloads.length, text };
  }
  const models = [...new Set(loads.map(({ model }) => model))];
  const restart = restartOf(events, box, stretch);
  const why =
    restart === null ? pauseText(loads) : ` after its ${restart.program} was started again`;
  const text = `${models.join(" and ") || "a model"} had to be loaded on ${box}, ${countText(loads.length, "load")}${why}`;
  const key = mostFrequent(loads.map((load) => load.key));
  return { ...plain("cold_starts", grown), models, key, count: loads.length, text };
}

/** Names the pause before the loads of models that nothing pushed out. */
function pauseText(loads: readonly AwaitedLoad[]): string {
  const gaps = loads.flatMap(({ gapMs, evictor }) => (evictor === null ? (gapMs ?? []) : []));
  if (gaps.length === 0) return "";
  const median = gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)] ?? 0;
  return gaps.length === 1
    ? `, last used ${durationText(median)} before`
    : `, mostly after pauses of about ${durationText(median)}`;
}
