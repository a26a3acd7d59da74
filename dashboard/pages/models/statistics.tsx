/** The usage of each model since the metrics were last cleared. */
import type { ModelStats } from "../../../protocol/api/stats.ts";
import { useQuery } from "../../data/query.ts";
import { Ago, Empty, FailureNote, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { ModelLink } from "../../parts/place-links.tsx";
import { NumberHeads } from "../../parts/table-heads.tsx";
import {
  compact,
  count,
  duration,
  energy,
  money,
  percent,
  tokenRate,
  UNKNOWN,
} from "../../shape/format.ts";

const FIGURES = [
  "Requests",
  "Tokens\u00a0/ prompt\u00a0tokens",
  "First token, P50\u00a0/\u00a0P95",
  "Latency, P50\u00a0/\u00a0P95",
  "Decode rate",
  "Energy\u00a0/ per\u00a01k\u00a0generated",
  "Errors",
];

export function Statistics() {
  const { data, error, refetch } = useQuery("/api/models", {}, 5_000);
  return (
    <Section title="Usage by model" aside={<span class="aside">all time</span>}>
      {error !== null && (
        <FailureNote title="Could not load the statistics." detail={error} retry={refetch} />
      )}
      {data === null ? (
        error === null && <Skeleton lines={4} />
      ) : data.models.length === 0 ? (
        <Empty title="No requests yet" />
      ) : (
        <TableScroll label="Usage statistics by model">
          <table class="statistics">
            <thead>
              <tr>
                <th scope="col">Model</th>
                <NumberHeads names={FIGURES} />
                <th scope="col">Last used</th>
              </tr>
            </thead>
            <tbody>
              {data.models.map((model) => (
                <tr key={model.name}>
                  <th scope="row">
                    <ModelLink model={model.name} />
                  </th>
                  <td class="number">{count(model.total_requests)}</td>
                  <td class="number">
                    {compact(model.total_tokens)} / {compact(model.total_prompt_tokens)}
                  </td>
                  <td class="number">
                    {duration(model.ttft_p50_ms)} / {duration(model.ttft_p95_ms)}
                  </td>
                  <td class="number">
                    {duration(model.latency_p50_ms)} / {duration(model.latency_p95_ms)}
                  </td>
                  <td class="number">{tokenRate(model.tokens_per_second)}</td>
                  <td class="number">
                    <Energy model={model} />
                  </td>
                  <td class={model.total_errors > 0 ? "number bad-text" : "number"}>
                    {count(model.total_errors)}{" "}
                    <span class="quiet">({percent(model.error_rate)})</span>
                  </td>
                  <td>
                    <Ago iso={model.last_used} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </TableScroll>
      )}
      {data?.models.some(({ energy_j }) => energy_j !== null) && (
        <p class="footnote">
          Energy is per 1,000 generated tokens, and includes that of their prompts. It is what all
          GPUs of a box consumed while it had requests in flight, divided equally among those
          requests. The GPUs measure it themselves: it includes idle power but not the rest of the
          machine. Known for {count(sum(data.models, "energy_requests"))} of{" "}
          {count(sum(data.models, "total_requests"))} requests.
        </p>
      )}
    </Section>
  );
}

/**
 * Energy, with its cost if it has a price: per million tokens, like the prices of hosted models.
 */
function Energy({ model }: { model: ModelStats }) {
  const { energy_j, energy_j_per_1k_tokens, cost, cost_currency, cost_per_million_output } = model;
  const moneyOf = (amount: number | null) =>
    amount === null || cost_currency === null ? UNKNOWN : money(amount, cost_currency);
  return (
    <>
      {energy(energy_j)} / {energy(energy_j_per_1k_tokens)}
      {cost !== null && (
        <div class="quiet">
          {moneyOf(cost)} / {moneyOf(cost_per_million_output)} per 1M
        </div>
      )}
    </>
  );
}

const sum = (models: ModelStats[], figure: "energy_requests" | "total_requests"): number =>
  models.reduce((total, model) => total + model[figure], 0);
