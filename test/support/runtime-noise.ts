/**
 * Removes the reports of workerd about failures that tests cause on purpose from the output of a run.
 *
 * A test that resets an object or drops a connection makes workerd print an "uncaught exception" with
 * its addresses, although the code under test handles the error. The plugin writes each of
 * these reports to the output of the main process in one write and has no option to filter them.
 * Reports of any other error still show.
 */

/** Each of these is the first line of a report. */
const CAUSED_BY_TESTS: readonly RegExp[] = [
  /^uncaught exception; source = Uncaught \(in promise\); stack = Error: (Network connection lost\.|the object was reset)\n?/,
  /^uncaught exception; exception = workerd\/jsg\/\S+ (disconnected|failed): jsg\.Error: (Network connection lost\.|the object was reset|GatewayError: tunnel_lost)\n/,
  /^exception = kj\/async-io\.c\+\+:\d+: disconnected: stream disconnected prematurely\n/,
];

/** A global setup: the reporter of Vitest also intercepts both streams when it starts, and joins writes. */
export default function setup(): () => void {
  const restores = [process.stdout, process.stderr].map(filter);
  return () => {
    for (const restore of restores) restore();
  };
}

function filter(stream: NodeJS.WriteStream): () => void {
  const { write } = stream;
  const filtered = ((...args: Parameters<typeof write>) =>
    isCausedByTests(String(args[0])) || write.apply(stream, args)) as typeof write;
  stream.write = filtered;
  return () => {
    // The projects that use this file share the stream.
    if (stream.write === filtered) stream.write = write;
  };
}

const isCausedByTests = (text: string): boolean =>
  CAUSED_BY_TESTS.some((pattern) => pattern.test(text));
