/** What each model did, since the beginning. */
import { useRead } from "../../data/query.ts";
import { Ago, Empty, Failure, Section, Skeleton, TableScroll } from "../../parts/basics.tsx";
import { compact, count, duration, percent, tokenRate } from "../../shape/format.ts";

const FIGURES = ["Requests", "Tokens", "First token, P50 / P95", "Latency, P50 / P95", "Decode rate", "Errors"];

export function Statistics() {
  const { data, error, refetch } = useRead("/api/models", {}, 5_000);
  return (
    <Section title="What they did" aside={<span class="aside">since the beginning</span>}>
      {error !== null && <Failure what="The statistics could not be read." why={error} again={refetch} />}
      {data === null ? (
        error === null && <Skeleton lines={4} />
      ) : data.models.length === 0 ? (
        <Empty title="No model was called yet" />
      ) : (
        <TableScroll label="Statistics of models">
          <table>
            <thead>
              <tr>
                <th scope="col">Model</th>
                {FIGURES.map((name) => (
                  <th key={name} scope="col" class="number">
                    {name}
                  </th>
                ))}
                <th scope="col">Last used</th>
              </tr>
            </thead>
            <tbody>
              {data.models.map((model) => (
                <tr key={model.name}>
                  <th scope="row">{model.name}</th>
                  <td class="number">{count(model.total_requests)}</td>
                  <td class="number">{compact(model.total_tokens)}</td>
                  <td class="number">
                    {duration(model.ttft_p50_ms)} / {duration(model.ttft_p95_ms)}
                  </td>
                  <td class="number">
                    {duration(model.latency_p50_ms)} / {duration(model.latency_p95_ms)}
                  </td>
                  <td class="number">{tokenRate(model.tokens_per_second)}</td>
                  <td class={model.total_errors > 0 ? "number bad-text" : "number"}>
                    {count(model.total_errors)} <span class="quiet">({percent(model.error_rate)})</span>
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
    </Section>
  );
}
