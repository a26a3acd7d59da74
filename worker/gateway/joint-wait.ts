/**
 * One wait of the runtime for everything that a call does beside its answer.
 *
 * Each promise that the runtime waits for costs two functions and two objects of its own, which V8 frees
 * only with a full collection, and those pause everybody. See docs/benchmarks.md.
 */

/** The promises that an invocation may not end before. */
type WaitUntil = (promise: Promise<unknown>) => void;

/**
 * Returns a `waitUntil` that gives the runtime one promise for all that are pending at the same time, and
 * those that fail, so that it reports them.
 */
export function jointWait(waitUntil: WaitUntil): WaitUntil {
  let pending = 0;
  let all = Promise.withResolvers<void>();
  const settled = () => {
    pending--;
    if (pending === 0) all.resolve();
  };
  return (promise) => {
    if (pending === 0) {
      all = Promise.withResolvers();
      waitUntil(all.promise);
    }
    pending++;
    promise.then(settled, () => {
      waitUntil(promise);
      settled();
    });
  };
}
