/** The figures behind charts as a table, for readers of screens and for those who use no mouse. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

/** @param children  returns the table, which is not made before it is wanted */
export function AsTable({ of, children }: { of: string; children: () => JSX.Element }) {
  const isOpen = useSignal(false);
  return (
    <details
      class="as-table"
      onToggle={({ currentTarget }) => {
        isOpen.value = currentTarget.open;
      }}
    >
      <summary>Show {of} as a table</summary>
      {isOpen.value && children()}
    </details>
  );
}
