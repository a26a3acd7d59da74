/** The four figures of the top, and what stands behind each. */
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
        name="Total Requests"
        value={compact(stats.total_requests)}
        title={count(stats.total_requests)}
        facts={[
          ["in flight", count(stats.in_flight)],
          ["queued", count(stats.queue_depth)],
          ["failed", `${compact(stats.total_errors)} (${percent(stats.error_rate)})`],
        ]}
      />
      <Total
        name="Total Tokens"
        value={compact(stats.total_tokens)}
        title={count(stats.total_tokens)}
        facts={[
          ["now", tokenRate(stats.tokens_per_second)],
          ["since", duration(stats.uptime_seconds * 1_000)],
        ]}
      />
      <Total
        name="Active Models"
        value={count(models_in_use.length)}
        title={models_in_use.join(", ") || "none in the last hour"}
        facts={
          first === undefined
            ? [["last hour", "none"]]
            : [
                ["most used", first],
                [
                  "also",
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
        name="Avg Latency"
        value={duration(stats.avg_latency_ms)}
        title="Mean of all inference calls"
        facts={[
          [
            "P50 / P95, 1 h",
            `${duration(stats.latency_p50_ms)} / ${duration(stats.latency_p95_ms)}`,
          ],
          ["first token", duration(stats.ttft_p50_ms)],
        ]}
      />
    </dl>
  );
}
