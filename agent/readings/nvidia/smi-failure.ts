/**
 * Why there is no GPU reading, in words that say what to do.
 *
 * Pure. nvidia-smi says its failures on stdout, under many exit codes; the text is the only
 * thing that tells them apart, so the text decides and the code is the last resort.
 */

/** How one run of nvidia-smi ended. */
export type SmiEnd = {
  /** Lines that were no rows, stdout and stderr together. */
  output: string;
  code: number | null;
  signal: string | null;
  /** The system's error code when it could not be started, e.g. `ENOENT`. */
  spawnError: string | null;
};

export type GpuFailure = {
  reason: string;
  /** Only somebody who changes the machine can end it: ask seldom. */
  permanent: boolean;
};

/** `GpuState.error` holds no more, UTF-16 code units. */
const REASON_CHARS_MAX = 500;

const KNOWN: readonly (readonly [
  text: RegExp,
  say: (match: RegExpExecArray, output: string) => string,
])[] = [
  [
    /Driver\/library version mismatch/i,
    (_match, output) => {
      const library = /NVML library version: ([\w.]+)/i.exec(output)?.[1];
      const which = library === undefined ? "" : ` (library ${library})`;
      return `NVIDIA driver/library version mismatch${which}: reboot, or reload the NVIDIA kernel modules`;
    },
  ],
  [
    /couldn't communicate with the NVIDIA driver/i,
    () =>
      "nvidia-smi cannot communicate with the NVIDIA driver: install or load the driver (modprobe nvidia), or reboot after a kernel update",
  ],
  [/No supported GPUs were found/i, () => "the NVIDIA driver found no supported GPU"],
  [
    /No devices were found/i,
    () => "no NVIDIA GPU was found: check the driver's log (dmesg) if this box has one",
  ],
  [
    /Failed to initialize NVML: Unknown Error/i,
    () =>
      "NVML does not start (Unknown Error): in a container this follows a systemd reload; restart the container",
  ],
  [
    /Failed to initialize NVML: (?:Insufficient Permissions|GPU access blocked[^\n]*)/i,
    () => "nvidia-smi may not read the GPU: give this user or container access to it",
  ],
  [
    /Unable to determine the device handle for GPU\s?([0-9A-Fa-f:.]+): ([^\n]+)/i,
    ([, gpu, why]) =>
      `GPU ${gpu} does not answer (${why?.trim()}): it may have fallen off the bus; reset it or reboot`,
  ],
];

/** The field that made the driver refuse a query, or null. One unknown field fails the whole query, with exit code 2. */
export const refusedField = (output: string): string | null =>
  /Field "([^"]+)" is not a valid field/i.exec(output)?.[1] ?? null;

/** @example gpuFailure({ output: "No devices were found", code: 6, signal: null, spawnError: null }).permanent // true */
export function gpuFailure({ output, code, signal, spawnError }: SmiEnd): GpuFailure {
  if (spawnError === "ENOENT" || code === 127) {
    return {
      reason: "nvidia-smi was not found: install the NVIDIA driver, or give its path",
      permanent: true,
    };
  }
  if (spawnError !== null)
    return {
      reason: `nvidia-smi could not be started (${spawnError})`,
      permanent: spawnError === "EACCES",
    };
  for (const [text, say] of KNOWN) {
    const match = text.exec(output);
    if (match !== null)
      return { reason: say(match, output).slice(0, REASON_CHARS_MAX), permanent: true };
  }
  const firstLine = output
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "");
  const how = signal === null ? `exit code ${code ?? "unknown"}` : signal;
  const reason =
    firstLine === undefined
      ? `nvidia-smi ended (${how})`
      : `nvidia-smi ended (${how}): ${firstLine}`;
  return { reason: reason.slice(0, REASON_CHARS_MAX), permanent: false };
}
