/** The figures behind the charts of requests; each time leads to its requests. */
import type { Activity } from "../../../protocol/api/activity.ts";
import { AsTable } from "../../parts/as-table.tsx";
import { TableScroll } from "../../parts/basics.tsx";
import { compact, count, duration } from "../../shape/format.ts";
import { bucketLink } from "./period.tsx";
import { momentOf } from "./traffic.tsx";

export const ActivityTable = ({ activity }: { activity: Activity }) => (
  <AsTable of="the charts">{() => <Table activity={activity} />}</AsTable>
);

const Table = ({ activity }: { activity: Activity }) => (
  <TableScroll label="Requests over time">
    <table>
      <thead>
        <tr>
          <th scope="col">From</th>
          {["Requests", "Failed", "P50", "P95", "First token, P95", "Output tokens"].map((name) => (
            <th key={name} scope="col" class="number">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {activity.points.map((point, index) =>
          point.requests === 0 ? null : (
            <tr key={point.timestamp}>
              <th scope="row">
                <a href={bucketLink(activity, index)}>{momentOf(activity, index)}</a>
              </th>
              <td class="number">{count(point.requests)}</td>
              <td class="number">{count(point.errors)}</td>
              <td class="number">{duration(point.latency_p50_ms)}</td>
              <td class="number">{duration(point.latency_p95_ms)}</td>
              <td class="number">{duration(point.ttft_p95_ms)}</td>
              <td class="number">{compact(point.tokens)}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  </TableScroll>
);
