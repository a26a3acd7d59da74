/** `/api/bench`: measurements of boxes, started and compared. */
import * as z from "zod";
import { type BenchFigure, BenchPoint, BenchProgress, BenchRequest, BenchRun } from "../bench.ts";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Narrowing } from "./shapes.ts";

const BenchDone = z.object({ state: z.literal("done"), run: BenchRun });
const BenchFailed = z.object({ state: z.literal("failed"), error: z.string() });
/** An event of `POST /api/boxes/{name}/bench`. The last one is `done` or `failed`. */
export const BenchEvent = z.union([BenchProgress, BenchDone, BenchFailed]);
export type BenchEvent = z.infer<typeof BenchEvent>;

const change = z.number().nullable();

/** The relative change of each figure: 0.05 is 5 % more. */
const Changes = z.object({
  tokens_per_second: change,
  ttft_ms: change,
  prefill_tokens_per_second: change,
  wh_per_1k_tokens: change,
} satisfies Record<BenchFigure, typeof change>);
export type BenchChanges = z.infer<typeof Changes>;

const ComparedRun = BenchRun.extend({
  previous_id: z.uuid().nullable().describe("the run before with the same box and model"),
  points: z.array(
    BenchPoint.extend({
      change: Changes.nullable().describe(
        "change of the medians against the newest earlier run of this box and model that has this context and output_tokens: 0.05 is 5 % more; null without one",
      ),
    }),
  ),
}).meta({ id: "BenchRun" });
export type ComparedRun = z.infer<typeof ComparedRun>;

/** `GET /api/bench`, newest first. */
export const Bench = z
  .object({ runs: z.array(ComparedRun), kept: Count.describe("runs that the edge keeps at most") })
  .meta({ id: "Bench" });
export type Bench = z.infer<typeof Bench>;

export const BenchQuery = Narrowing.extend({
  limit: z.coerce.number().int().min(1).max(100).default(20),
}).strict();

export const BENCH_ROUTES = {
  bench: {
    method: "GET",
    path: "/api/bench",
    scope: "stats",
    tag: "Bench",
    summary: "Earlier benches of boxes, newest first, each compared with the one before",
    query: BenchQuery,
    answer: Bench,
  },
  benchBox: {
    method: "POST",
    audit: "bench_started",
    path: "/api/boxes/{name}/bench",
    scope: "models",
    tag: "Bench",
    summary: "Measure a model on a box: tokens per second, TTFT, prefill, load and energy",
    description: [
      "Events: waiting (for whom, and how long it may still wait), running (one for each request), then",
      "done with the run, or failed with the reason. The bench goes out of the way of callers: it waits until",
      "the box is idle, and if a caller comes it stops its request and repeats it. A caller of this route that",
      "disconnects cancels the bench. Its requests are in the log with source bench, and count in no figure about",
      "callers. 409 while a bench is running on the box, 501 if its agent is too old.",
    ].join(" "),
    params: z.object({ name: BoxName }),
    body: BenchRequest,
    answer: null,
    lastEvent: { success: BenchDone, failure: BenchFailed },
    media: { "text/event-stream": "progress, then one event with done or failed" },
  },
} as const satisfies Record<string, ApiRoute>;
