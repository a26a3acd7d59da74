/** The figures of a model since the metrics were last cleared: latency, energy and cost. */
import type { ModelStats } from "../../../protocol/api/stats.ts";
import { Ago, Section } from "../../parts/basics.tsx";
import { type Fact, FactList } from "../../parts/fact-list.tsx";
import { compact, count, duration, energy, money, percent, UNKNOWN } from "../../shape/format.ts";

export function ModelTotals({ usage }: { usage: ModelStats }) {
  const { cost, cost_currency, cost_per_million_output, energy_requests, total_requests } = usage;
  const moneyOf = (amount: number | null) =>
    amount === null || cost_currency === null ? UNKNOWN : money(amount, cost_currency);
  const facts: Fact[] = [
    ["Requests", count(total_requests)],
    ["Failed", `${count(usage.total_errors)} (${percent(usage.error_rate)})`],
    ["Tokens out", compact(usage.total_tokens)],
    ["Tokens in", compact(usage.total_prompt_tokens)],
    ["Latency, P50", duration(usage.latency_p50_ms)],
    ["Latency, P95", duration(usage.latency_p95_ms)],
    ["Latency, P99", duration(usage.latency_p99_ms)],
    ["First token, P50", duration(usage.ttft_p50_ms)],
    ["First token, P95", duration(usage.ttft_p95_ms)],
    ["Energy", energy(usage.energy_j)],
    ["Energy per 1k tokens out", energy(usage.energy_j_per_1k_tokens)],
    ["Cost", moneyOf(cost)],
    ["Cost per 1M tokens out", moneyOf(cost_per_million_output)],
  ];
  return (
    <Section
      title="Since counting began"
      aside={
        <span class="aside">
          last used <Ago iso={usage.last_used} />
        </span>
      }
    >
      <div class="card">
        <FactList facts={facts} />
      </div>
      <p class="footnote">
        The energy of {count(energy_requests)} of {count(total_requests)} requests is known.
        {cost_currency === null && (
          <>
            {" "}
            <a href="#/settings">Set a price per kWh</a> to see the cost.
          </>
        )}
      </p>
    </Section>
  );
}
