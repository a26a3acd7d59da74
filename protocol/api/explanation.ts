/** `GET /api/stats/explanation`: why the requests of a period took as long as they did. */
import * as z from "zod";
import { TimeZone } from "../day-hours.ts";
import { BoxName } from "../records.ts";
import { IN_ORDER, isInOrder, periodFields, STARTS_ONCE, startsOnce } from "./period.ts";
import type { ApiRoute } from "./route.ts";
import { Count, Figure, KeyNarrowing, Rate, Time } from "./shapes.ts";

export const CAUSES = {
  reloads: "two models, or two contexts of one, pushed each other out of memory",
  cold_starts: "models were loaded after their time in memory had ended",
  queue: "requests waited for a free slot",
  slow_answers: "a model produced tokens more slowly",
  slow_prompts: "a model read prompts more slowly",
  long_answers: "answers were longer",
  long_prompts: "prompts were longer",
  other_model: "a slower model answered more of the requests",
  moves: "requests moved on from boxes that failed",
  edge: "requests waited at the edge",
  tunnel: "the way to the box took longer",
  other: "time outside of the known phases",
  failures: "more requests failed",
} as const;
export type CauseKind = keyof typeof CAUSES;
const CAUSE_KINDS = Object.keys(CAUSES) as [CauseKind, ...CauseKind[]];

const PeriodCause = z
  .object({
    kind: z
      .enum(CAUSE_KINDS)
      .describe(CAUSE_KINDS.map((kind) => `${kind}: ${CAUSES[kind]}`).join("; ")),
    box: BoxName.nullable(),
    models: z.array(z.string()).describe("with their tags; none if it is about all"),
    key: z.string().nullable().describe("name or id of the key of most of these requests"),
    share: Rate.describe("part of the time by which requests took longer; null for failures"),
    lost_ms: Figure.describe("time by which all requests together took longer; null like share"),
    count: Count.nullable().describe("how many loads, moves or failures; null for others"),
    before: Figure.describe(
      "the figure that changed: requests a minute, tokens a second, tokens, part of the requests, or ms; null if none did",
    ),
    during: Figure.describe("the same in the period"),
    text: z.string().describe("the cause as a part of a sentence"),
  })
  .meta({ id: "PeriodCause" });
export type PeriodCause = z.infer<typeof PeriodCause>;

const PeriodFigures = z
  .object({
    requests: Count.describe("that a model answered"),
    errors: Count,
    latency_p50_ms: Figure,
    latency_p95_ms: Figure.describe("null below 20 requests"),
  })
  .meta({ id: "PeriodFigures" });
export type PeriodFigures = z.infer<typeof PeriodFigures>;

export const PeriodExplanation = z
  .object({
    from: Time,
    to: Time,
    latency: z
      .enum(["rose", "fell", "steady", "unknown"])
      .describe("how P95 changed; unknown: too few requests, or nothing to compare with"),
    changed_from: Time.nullable().describe("when P95 rose, to the request; null unless it rose"),
    changed_to: Time.nullable().describe("when it was over; null if it was not"),
    before: PeriodFigures.describe("the time before, with which it is compared"),
    during: PeriodFigures.describe(
      "the time in which P95 was higher; the whole period if it did not rise",
    ),
    causes: z
      .array(PeriodCause)
      .describe("why it rose, the largest first; also why more requests failed"),
    text: z.string().describe("one or a few sentences, for people"),
    is_whole: z
      .boolean()
      .describe("false: the edge no longer has all requests, or causes are from a part of them"),
  })
  .meta({ id: "PeriodExplanation" });
export type PeriodExplanation = z.infer<typeof PeriodExplanation>;

export const EXPLAINED_SECONDS_MAX = 7 * 86_400;

export const ExplanationQuery = z
  .strictObject({
    ...periodFields(EXPLAINED_SECONDS_MAX),
    time_zone: TimeZone.default("UTC").describe("for the times in its sentences"),
    ...KeyNarrowing.shape,
  })
  .refine(startsOnce, STARTS_ONCE)
  .refine(isInOrder, IN_ORDER);
export type ExplanationQuery = z.infer<typeof ExplanationQuery>;

export const EXPLANATION_ROUTES = {
  explainPeriod: {
    method: "GET",
    path: "/api/stats/explanation",
    scope: "stats",
    tag: "Statistics",
    summary: "Why the requests of a period took as long as they did",
    description: [
      "Finds when P95 rose in the period, compared with the time before it, and names the causes: each with its part of the added time, and",
      "with the boxes, models and keys that it is about. It covers requests that are still in the logs of the edge. At most a week.",
    ].join(" "),
    query: ExplanationQuery,
    answer: PeriodExplanation,
  },
} as const satisfies Record<string, ApiRoute>;
