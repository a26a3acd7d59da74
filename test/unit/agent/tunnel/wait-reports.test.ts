/** Reports of a request that waits, from the box's end of its stream. */
import { expect, test } from "vitest";
import { OLLAMA_BACK_MS } from "../../../../agent/request/patience.ts";
import { AgentStreamCore } from "../../../../agent/tunnel/stream-core.ts";
import { WaitReports } from "../../../../agent/tunnel/wait-reports.ts";
import { type Frame, FrameType, NO_PAYLOAD } from "../../../../protocol/frames.ts";
import { WAIT_REPORT_EVERY_MS, WAIT_REPORTED_MS } from "../../../../protocol/limits.ts";
import type { WaitReport } from "../../../../protocol/messages.ts";

/** Longest time between two attempts to reach Ollama, and some slack. */
const SLACK_MS = 1_000;
const ID = "01890a5d-ac96-774b-bcce-b302099a8057";
const report = (position: number | null): WaitReport => ({
  position,
  eta_ms: position === null ? null : position * 1_000,
  slots: 1,
  is_loading: position === null,
});
const frame = (type: FrameType, seq = 0): Frame => ({ type, stream: ID, seq, payload: NO_PAYLOAD });
const begun = () => {
  const core = new AgentStreamCore(ID, false, { stream: true }, null, new WaitReports(0));
  core.received(frame(FrameType.open));
  core.received(frame(FrameType.end, 1));
  return core;
};
const payloads = (frames: readonly Frame[]) =>
  frames
    .filter(({ type }) => type === FrameType.waiting)
    .map(({ payload }) => JSON.parse(new TextDecoder().decode(payload)));

test("an Ollama that does not come back is reported as an error before any wait", () => {
  expect(WAIT_REPORTED_MS).toBeGreaterThan(OLLAMA_BACK_MS + SLACK_MS);
});

test("the first report is due after a long wait, and the next ones at a bounded rate", () => {
  const core = begun();
  expect(core.isReportDue(WAIT_REPORTED_MS - 1)).toBe(false);
  expect(core.isReportDue(WAIT_REPORTED_MS)).toBe(true);
  expect(payloads(core.waiting(report(3), WAIT_REPORTED_MS).frames)).toEqual([report(3)]);
  expect(core.isReportDue(WAIT_REPORTED_MS + WAIT_REPORT_EVERY_MS - 1)).toBe(false);
  expect(core.isReportDue(WAIT_REPORTED_MS + WAIT_REPORT_EVERY_MS)).toBe(true);
});

test("only changes of the place or of the state are reported", () => {
  const core = begun();
  core.waiting(report(3), 10_000);
  expect(core.waiting({ ...report(3), eta_ms: 1 }, 15_000).frames).toEqual([]);
  expect(core.waiting(report(2), 16_000).frames).toHaveLength(1);
  expect(core.waiting(report(null), 21_000).frames).toHaveLength(1);
  expect(core.waiting({ ...report(null), is_loading: false }, 26_000).frames).toHaveLength(1);
});

test("a request is not reported once it is answered, over or away, or if the edge takes no reports", () => {
  const answered = begun();
  answered.answerHead(200, []);
  const over = begun();
  over.answerBroke("x", false);
  const away = begun();
  away.detach(0);
  for (const core of [answered, over, away, new AgentStreamCore(ID, false, { stream: true })])
    expect(core.isReportDue(60_000)).toBe(false);
});

test("the caller of a reported request has status 200, whatever Ollama answers", () => {
  const core = begun();
  expect(core.begunStatus).toBeNull();
  core.waiting(report(1), 10_000);
  core.answerHead(500, []);
  expect([core.earlyStatus, core.begunStatus]).toEqual([200, 200]);
});

test("a report that may be lost is sent again before the head, and not after it", () => {
  const core = begun();
  core.waiting(report(1), 10_000);
  core.detach(11_000);
  core.answerHead(200, []);
  core.take();
  const types = (seq: number) =>
    core.received(frame(FrameType.resume, seq)).frames.map(({ type }) => type);
  expect(types(0).filter((type) => type === FrameType.waiting)).toHaveLength(1);
  core.take();
  const again = types(0);
  expect(again.indexOf(FrameType.waiting)).toBeLessThan(again.indexOf(FrameType.head));
  expect(types(1)).not.toContain(FrameType.waiting);
});
