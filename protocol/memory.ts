/** Memory that is given back by hand: a collector counts it only after tens of megabytes. Pure. */

/** Smaller memory is left to the collector, which frees it with less work. */
const FREED_BYTES_MIN = 16 * 1024;

/**
 * Gives up memory that nobody reads again. All views of it become empty. May be called more than
 * once. A socket that was given the memory has a reference of its own until it has sent it.
 */
export function freeMemory(memory: ArrayBufferLike): void {
  // Node 20 has no transfer.
  if (memory.byteLength >= FREED_BYTES_MIN && "transfer" in memory) memory.transfer(0);
}
