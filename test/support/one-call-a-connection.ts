/**
 * A setup file: each call of `fetch` has a connection of its own.
 *
 * A server may close an idle connection at any time, and a request that goes into it at that moment
 * fails. Callers try it again; the tests do not, and on a busy machine it happens often.
 */
const DISPATCHER = Symbol.for("undici.globalDispatcher.1");

type Dispatcher = { constructor: new (options: { pipelining: number }) => Dispatcher };

await fetch("data:,"); // creates the dispatcher
const dispatchers = globalThis as { [DISPATCHER]?: Dispatcher };
const dispatcher = dispatchers[DISPATCHER];
if (dispatcher === undefined) throw new Error("fetch of this Node has no known dispatcher");
dispatchers[DISPATCHER] = new dispatcher.constructor({ pipelining: 0 });
