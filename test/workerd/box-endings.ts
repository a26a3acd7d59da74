/** The ways in which a fake box ends a call, and the records that it reports. */
import { FrameType, jsonBytes, streamFrame, tunnelFrame } from "../../protocol/frames.ts";
import { type Abort, factsOf, type Open } from "../../protocol/messages.ts";
import { type ReportedRecord, UNMEASURED } from "../../protocol/records.ts";
import type { FakeBox } from "./fake-box.ts";

export type Received = { open: Open; stream: string };
export type Failing = (box: FakeBox, received: Received) => void;

export const aborts =
  (code: string, more: Partial<Abort> = {}): Failing =>
  ({ agent }, { stream }) =>
    agent.send(
      streamFrame(FrameType.abort, stream, 0, jsonBytes({ code, message: "no", ...more })),
    );
export const answers =
  (status: number): Failing =>
  ({ agent }, { stream }) =>
    agent.answer(stream, status, [["content-type", "application/json"]], '{"error":"no"}');
export const succeeds: Failing = ({ agent }, { stream }) =>
  agent.answer(stream, 200, [["content-type", "application/x-ndjson"]], '{"done":true}\n');

/** The record of a call, as the agent of a box reports it. */
export const recordOf = (
  { name }: FakeBox,
  { open, stream }: Received,
  rest: Partial<ReportedRecord>,
): ReportedRecord => ({
  ...factsOf(stream, open),
  ...UNMEASURED,
  box: name,
  status: "success",
  http_status: 200,
  failed_at: null,
  error_message: null,
  prompt: null,
  latency_ms: 1,
  resumed: 0,
  source: "edge",
  ...(open.seal !== undefined && { seal: open.seal }),
  ...rest,
});

export const FAILED = { status: "error", http_status: 502, failed_at: "ollama" } as const;

export async function report({ agent }: FakeBox, record: ReportedRecord): Promise<void> {
  agent.send(tunnelFrame(FrameType.records, { position: 1, records: [record] }));
  await agent.next(FrameType.recorded);
}

export const whereAndWhy = ({ status, headers }: Response) => [
  status,
  headers.get("x-box"),
  headers.get("x-route-reason"),
];
