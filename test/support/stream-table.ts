/** The agent's table of streams in a test: whatever a test does not name takes its frames and answers nothing. */
import { EnergyMeter } from "../../agent/measure/energy.ts";
import type { LocalRequest } from "../../agent/request/ollama.ts";
import { turnsOf } from "../../agent/request/turn.ts";
import type { SpoolEntry } from "../../agent/spool/lines.ts";
import type { Spool } from "../../agent/spool/spool.ts";
import { Outgoing } from "../../agent/tunnel/outgoing.ts";
import { StreamTable, type TableShell } from "../../agent/tunnel/stream-table.ts";
import type { RequestRecord } from "../../protocol/records.ts";

/** An Ollama that keeps the requests it got, for a test to answer. */
export function silentOllama() {
  const received: LocalRequest[] = [];
  const aborted: LocalRequest[] = [];
  const send = (request: LocalRequest) => {
    received.push(request);
    return {
      write: () => true,
      onDrain: () => {},
      end: () => {},
      pause: () => {},
      resume: () => {},
      abort: () => void aborted.push(request),
    };
  };
  return { send, received, aborted };
}

/** A spool in memory. */
export function listedSpool() {
  const begun: SpoolEntry[] = [];
  const records: RequestRecord[] = [];
  const spool = {
    knows: () => false,
    begin: (entry: SpoolEntry) => begun.push(entry) > 0,
    finish: (record: RequestRecord) => void records.push(record),
  } as unknown as Spool;
  return { spool, begun, records };
}

export const tableWith = (
  shell: Partial<TableShell> & Pick<TableShell, "spool" | "now">,
): StreamTable =>
  new StreamTable({
    box: "b",
    ollama: silentOllama(),
    outgoing: new Outgoing(() => {}),
    guard: () => null,
    tunnelMs: () => null,
    records: { withhold: () => {}, release: () => {} },
    forbidsText: () => false,
    isLoaded: () => false,
    energy: new EnergyMeter(),
    ...turnsOf(null),
    log: () => {},
    onOver: () => {},
    ...shell,
  });
