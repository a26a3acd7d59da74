/**
 * How long a test waits. A limit only ends a test that hangs, and a busy machine is many times slower
 * than a quiet one, so no limit is near what a test needs.
 */

/** For one condition to become true. */
export const CONDITION_MS = 100_000;

/** For a whole test, and for what is started before the tests of a file. */
export const TEST_MS = 300_000;

/** A busy machine takes several times as long for what is promised within a time. */
export const onBusyMachine = (promisedMs: number): number => 6 * promisedMs;
