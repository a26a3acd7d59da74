/** Compares the services that two readings describe, so that only a change is stored at once. */
import type { Readings } from "../../protocol/inventory.ts";

/**
 * Returns whether both readings describe the same service: its models, their digests, its version.
 * Sizes and expiry times change constantly, so they may wait.
 */
export function isSameInventory(previous: Readings | null, next: Readings | null): boolean {
  if (previous === null || next === null) return false;
  const { inventory: a, gpu: gpuA } = previous;
  const { inventory: b, gpu: gpuB } = next;
  return (
    a.reachable === b.reachable &&
    a.ollama_version === b.ollama_version &&
    gpuA.available === gpuB.available &&
    isSameList(a.models, b.models, ({ name, digest }) => `${name} ${digest}`) &&
    isSameList(a.loaded, b.loaded, ({ name }) => name)
  );
}

const isSameList = <Item>(
  a: readonly Item[],
  b: readonly Item[],
  keyOf: (item: Item) => string,
): boolean =>
  a.length === b.length &&
  a.every((item, index) => b[index] !== undefined && keyOf(item) === keyOf(b[index]));
