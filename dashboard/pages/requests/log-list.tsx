/** A list of finished requests in each of its states: not read yet, empty, or a table. */
import type { ComponentProps, VNode } from "preact";
import { Skeleton } from "../../parts/basics.tsx";
import { LogTable } from "./log-table.tsx";

type Props = Omit<ComponentProps<typeof LogTable>, "logs"> & {
  /** Null until they are read. */
  logs: ComponentProps<typeof LogTable>["logs"] | null;
  /** Height of what stands in for the table until then. */
  lines: number;
  /** Shown if there are no requests. */
  children: VNode;
};

export function LogList({ logs, lines, children, ...table }: Props) {
  if (logs === null) return <Skeleton lines={lines} />;
  return logs.length === 0 ? children : <LogTable logs={logs} {...table} />;
}
