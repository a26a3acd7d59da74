/** Divides the energy of a stretch of time among the requests that were open during it. Pure. */
import type { Stretch } from "./gpu-power.ts";

/** A request; `toMs` is null while it is open. */
export type OpenSpan = { fromMs: number; toMs: number | null };

/** The part of a stretch that a request was open for, and its share of the energy then. */
type Share = { joules: number; ms: number };

type Moment<Span> = { atMs: number; span: Span; opens: boolean };

/** Returns the milliseconds between two moments in which at least one request was open. */
export function busyMsIn(spans: readonly OpenSpan[], fromMs: number, toMs: number): number {
  let busyMs = 0;
  let open = 0;
  let beforeMs = fromMs;
  for (const { atMs, opens } of momentsIn(spans, fromMs, toMs)) {
    if (open > 0) busyMs += atMs - beforeMs;
    beforeMs = atMs;
    open += opens ? 1 : -1;
  }
  return busyMs;
}

/**
 * Cuts the stretch wherever a request begins or ends. The energy of each piece is divided equally
 * among the requests open during it.
 */
export function sharesOf<Span extends OpenSpan>(
  spans: readonly Span[],
  { fromMs, toMs, joulesIn }: Stretch,
): { shares: Map<Span, Share>; busyJ: number; busyMs: number; idleJ: number } {
  const shares = new Map<Span, Share>();
  let busyJ = 0;
  let busyMs = 0;
  let idleJ = 0;
  let open = 0;
  let beforeMs = fromMs;
  // Joules of a request that is open since the beginning of the stretch.
  let each = 0;
  const goTo = (atMs: number) => {
    if (atMs <= beforeMs) return;
    const joules = joulesIn(beforeMs, atMs, open > 0);
    if (open > 0) {
      each += joules / open;
      busyJ += joules;
      busyMs += atMs - beforeMs;
    } else idleJ += joules;
    beforeMs = atMs;
  };
  for (const { atMs, span, opens } of momentsIn(spans, fromMs, toMs)) {
    goTo(atMs);
    open += opens ? 1 : -1;
    const { joules, ms } = shares.get(span) ?? { joules: 0, ms: 0 };
    shares.set(span, {
      joules: joules + (opens ? -each : each),
      ms: ms + (opens ? -atMs : atMs),
    });
  }
  goTo(toMs);
  return { shares, busyJ, busyMs, idleJ };
}

/** When requests open and close within a stretch, in order of time. */
function momentsIn<Span extends OpenSpan>(
  spans: readonly Span[],
  fromMs: number,
  toMs: number,
): Moment<Span>[] {
  const moments: Moment<Span>[] = [];
  for (const span of spans) {
    const openMs = Math.max(span.fromMs, fromMs);
    const closeMs = Math.min(span.toMs ?? toMs, toMs);
    if (openMs < closeMs)
      moments.push({ atMs: openMs, span, opens: true }, { atMs: closeMs, span, opens: false });
  }
  return moments.sort((a, b) => a.atMs - b.atMs);
}
