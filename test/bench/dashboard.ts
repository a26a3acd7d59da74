/**
 * Measures the page: bytes, first paint, an update with 10,000 points, its stillness while events arrive,
 * and memory after eight hours. Fails if a budget is exceeded.
 *
 * npm run bench:dashboard
 *
 * It is the built page on a running edge. Only the responses of `/api` for the update, the list and the
 * eight hours are synthetic, so that the benchmark does not take eight hours.
 */
import { launchBrowser } from "../support/chromium.ts";
import { FIRST_LOAD_KB_MAX } from "../support/page-scripts.ts";
import { SHIFT_MAX } from "../support/page-traffic.ts";
import { TestStack } from "../support/stack.ts";
import { listTimes, ROWS } from "./dashboard-list.ts";
import { firstLoadOf, firstPaintMs } from "./dashboard-load.ts";
import { EVENT_COUNT, memoryMb } from "./dashboard-memory.ts";
import { opened } from "./dashboard-page.ts";
import { streamingOf } from "./dashboard-still.ts";
import { POINTS, updateMs } from "./dashboard-update.ts";

/** A page that is left open may not grow: this is noise of the garbage collector. */
const GROWTH_MB_MAX = 4;
const EVENT_MS_MAX = 50;
const UPDATE_MS_MAX = 50;
const SHOWN_MS_MAX = 500;

const exceeded: string[] = [];

function print(name: string, text: string): void {
  console.log(name.padEnd(18) + text);
}

/** Prints a figure beside its budget, and keeps its name if it is exceeded. */
function judge(name: string, figure: number, most: number, text: string, unit: string): void {
  const isKept = figure <= most;
  if (!isKept) exceeded.push(name);
  print(name, `${text} (at most ${most} ${unit})${isKept ? "" : ": EXCEEDED"}`);
}

await using stack = await TestStack.start();
const browser = await launchBrowser();
try {
  const { scriptKb, styleKb, later } = await firstLoadOf(browser, stack.url);
  judge(
    "first load",
    scriptKb,
    FIRST_LOAD_KB_MAX,
    `${scriptKb.toFixed(1)} KB JavaScript, ${styleKb.toFixed(1)} KB CSS, gzipped`,
    "KB JavaScript",
  );
  print("loaded when used", later.map(({ name, kb }) => `${name} ${kb.toFixed(1)}`).join(", "));
  const here = await firstPaintMs(browser, stack.url, false);
  const onPhone = await firstPaintMs(browser, stack.url, true);
  print("first paint", `${here} ms here, ${onPhone} ms on a slow phone`);

  const update = await updateMs(browser);
  const points = POINTS.toLocaleString("en");
  judge("update", update, UPDATE_MS_MAX, `${update} ms for four charts of ${points} points`, "ms");

  const { shownMs, againMs, longestMs } = await listTimes(browser, stack.url);
  const shown = `${shownMs} ms for ${ROWS} rows on a slow phone`;
  judge("requests page", shownMs, SHOWN_MS_MAX, shown, "ms");
  print("", `${againMs} ms to read them again there; longest task here ${longestMs} ms`);

  const { shift, eventMs } = await streamingOf(await opened(browser));
  const moved = `moved by ${shift.toFixed(4)} in five minutes of events`;
  judge("stillness", shift, SHIFT_MAX, moved, "screens");
  judge("event", eventMs, EVENT_MS_MAX, `${eventMs} ms for the dearest of these`, "ms");

  const { before, after } = await memoryMb(browser, stack.url);
  const events = EVENT_COUNT.toLocaleString("en");
  judge(
    "memory",
    after - before,
    GROWTH_MB_MAX,
    `${before.toFixed(1)} MB at first, ${after.toFixed(1)} MB after ${events} events in eight hours`,
    "MB more",
  );
} finally {
  await browser.close();
}
if (exceeded.length > 0) throw new Error(`Over budget: ${exceeded.join(", ")}.`);
