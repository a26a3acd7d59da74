/** A history in one piece, for tests. */
import type { HistoryPoint } from "../../protocol/api/stats.ts";
import { GatheredHistory, type Span } from "../../worker/answers/history.ts";
import type { Cell } from "../../worker/counting/cell.ts";

export function historyOf(
  span: Span,
  nowMs: number,
  cells: Iterable<{ at: number; cell: Cell }>,
): HistoryPoint[] {
  const history = new GatheredHistory(span);
  for (const cell of cells) history.add(cell);
  return history.points(nowMs);
}
