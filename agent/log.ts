/**
 * Log events of the agent: a name and fields, one line each.
 *
 * JSON lines for machines (stdout is no terminal, or `LOG_FORMAT=json`), a short line for
 * people. A field that could hold text of a caller or a credential is never written: the
 * call sites leave such fields out, and this file masks them by name should one slip in.
 */

export type LogLevel = "info" | "warn" | "error";

/** `event` is snake_case and has few values; what varies goes into `fields`. */
export type Log = (level: LogLevel, event: string, fields?: Record<string, unknown>) => void;

export type LogOptions = {
  /** Default: unless stdout is a terminal, or when `LOG_FORMAT` is `json`. */
  json: boolean;
  /** Wall clock, unix ms. */
  now: () => number;
  /** Gets whole lines, with their line feed. */
  write: (line: string) => unknown;
};

/** Names of fields that hold what callers wrote, what models answered, or credentials. */
const PRIVATE_FIELD =
  /^(?:prompt|response|messages|content|input|body|headers|authorization|cookie)$|secret|password|api_?key$/i;

/** Longest text of one field, UTF-16 code units: a log line is for reading. */
const FIELD_CHARS_MAX = 1_000;

/**
 * The log of this process on stdout, where no option says otherwise.
 * @example makeLog()("warn", "gpu_unavailable", { reason: "no devices" }) // 12:00:01 WARN gpu_unavailable reason="no devices"
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
    const words = safe.map(([name, value]) => `${name}=${JSON.stringify(value)}`);
    const label = level === "info" ? [] : [level.toUpperCase()];
    write(`${[time.slice(11, 19), ...label, event, ...words].join(" ")}\n`);
  };
}

function printable(name: string, value: unknown): unknown {
  if (PRIVATE_FIELD.test(name)) return "[left out]";
  if (value instanceof Error) return value.message.slice(0, FIELD_CHARS_MAX);
  if (typeof value === "string") return value.slice(0, FIELD_CHARS_MAX);
  if (typeof value === "bigint") return String(value);
  return value ?? null;
}
