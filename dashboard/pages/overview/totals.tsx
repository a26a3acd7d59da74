/** The four totals at the top, each with the figures behind it. */
import type { ComponentChildren } from "preact";
import type { CurrentStats } from "../../../protocol/api/stats.ts";
import { compact, count, duration, percent, tokenRate } from "../../shape/format.ts";

type Fact = [name: string, value: ComponentChildren];

function Total({
  name,
  value,
  title,
  facts,
}: {
  name: string;
  value: string;
  title: string;
  facts: Fact[];
}) {
  return (
    <div class="total">
      <dt>{name}</dt>
      <dd class="total-value" title={title}>
        {value}
      </dd>
      {facts.map(([fact, figure]) => (
        <dd key={fact} class="total-fact">
          <span>{fact}</span> <b>{figure}</b>
        </dd>
      ))}
    </div>
  );
}

export function Totals({ stats }: { stats: CurrentStats }) {
  const { models_in_use } = stats;
  const [first, ...others] = models_in_use;
  return (
    <dl class="totals">
      <Total
        name="Total requests"
        value={compact(stats.total_requests)}
        title={count(stats.total_requests)}
        facts={[
          ["In flight", count(stats.in_flight)],
          ["Queued", count(stats.queue_depth)],
          ["Failed", `${compact(stats.total_errors)} (${percent(stats.error_rate)})`],
        ]}
      />
      <Total
        name="Total tokens"
        value={compact(stats.total_tokens)}
        title={count(stats.total_tokens)}
        facts={[
          ["Last minute", tokenRate(stats.tokens_per_second)],
          ["Prompts", compact(stats.total_prompt_tokens)],
          ["Uptime", duration(stats.uptime_seconds * 1_000)],
        ]}
      />
      <Total
        name="Active models"
        value={count(models_in_use.length)}
        title={models_in_use.join(", ") || "None in the last hour"}
        facts={
          first === undefined
            ? [["Last hour", "none"]]
            : [
                ["Most used", first],
                [
                  "Also used",
                  others.length === 0
                    ? "none"
                    : others.length < 3
                      ? others.join(", ")
                      : `${others.length} more`,
                ],
              ]
        }
      />
      <Total
        name="Avg latency"
        value={duration(stats.avg_latency_ms)}
        title="Mean latency of all inference requests"
        facts={[
          [
            "P50 / P95, 1 h",
            `${duration(stats.latency_p50_ms)} / ${duration(stats.latency_p95_ms)}`,
          ],
          ["First token, P50", duration(stats.ttft_p50_ms)],
        ]}
      />
    </dl>
  );
}
