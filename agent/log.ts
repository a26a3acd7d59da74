/**
 * Log events of the agent: a name and fields, one line each.
 *
 * Writes JSON for machines (stdout is not a terminal, or `LOG_FORMAT=json`) and short lines for
 * people. A field that could contain a caller's text or a credential is never written: call sites
 * leave such fields out, and this file masks them by name in case one slips in.
 */

export type LogLevel = "info" | "warn" | "error";

/** Writes one event. `event` is snake_case and has few values; variable data goes into `fields`. */
export type Log = (level: LogLevel, event: string, fields?: Record<string, unknown>) => void;

export type LogOptions = {
  /** Default: true if stdout is not a terminal or `LOG_FORMAT` is `json`. */
  json: boolean;
  /** Wall clock, unix ms. */
  now: () => number;
  /** Receives whole lines, including the line feed. */
  write: (line: string) => unknown;
};

/** Names of fields that contain prompts, answers or credentials. */
const PRIVATE_FIELD =
  /^(?:prompt|response|messages|content|input|body|headers|authorization|cookie)$|secret|password|api_?key$/i;

/** Longest text of one field, UTF-16 code units: people read log lines. */
const FIELD_CHARS_MAX = 1_000;

/**
 * Creates a log that writes to stdout unless an option overrides it.
 * @example
 *   makeLog()("warn", "gpu_unavailable", { reason: "no devices" })
 *   // 12:00:01 WARN gpu_unavailable reason="no devices"
 */
export function makeLog(options: Partial<LogOptions> = {}): Log {
  const json = options.json ?? (process.env.LOG_FORMAT === "json" || !process.stdout.isTTY);
  const now = options.now ?? Date.now;
  const write = options.write ?? ((line: string) => process.stdout.write(line));
  return (level, event, fields = {}) => {
    const time = new Date(now()).toISOString();
    const safe = Object.entries(fields).map(
      ([name, value]) => [name, printable(name, value)] as const,
    );
    if (json) {
      write(`${JSON.stringify({ time, level, event, ...Object.fromEntries(safe) })}\n`);
      return;
    }
    const pairs = safe.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    const label = level === "info" ? [] : [level.toUpperCase()];
    write(`${[time.slice(11, 19), ...label, event, ...pairs].join(" ")}\n`);
  };
}

function printable(name: string, value: unknown): unknown {
  if (PRIVATE_FIELD.test(name)) return "[left out]";
  if (value instanceof Error) return value.message.slice(0, FIELD_CHARS_MAX);
  if (typeof value === "string") return value.slice(0, FIELD_CHARS_MAX);
  if (typeof value === "bigint") return String(value);
  return value ?? null;
}
