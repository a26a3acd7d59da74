/**
 * Turns a failed run of nvidia-smi into a reason with a next step.
 *
 * Pure. nvidia-smi prints its errors on stdout and uses many exit codes for them. Only the text
 * distinguishes them, so the text decides and the exit code is the last resort.
 */
import type { ToolEnd } from "../tool-process.ts";

export type GpuFailure = {
  reason: string;
  /** True if only a person can fix it. The source then retries rarely. */
  permanent: boolean;
  /** True if the machine certainly has an NVIDIA GPU, and its tool cannot read it. */
  isFault: boolean;
};

/** The limit of `GpuState.error`, UTF-16 code units. */
const REASON_CHARS_MAX = 500;

/**
 * With `isProof`, the machine has a GPU even if the system lists none: in a container, or after the GPU fell
 * off the bus.
 */
const KNOWN: readonly (readonly [
  pattern: RegExp,
  reasonOf: (match: RegExpExecArray, output: string) => string,
  isProof?: boolean,
])[] = [
  [
    /Driver\/library version mismatch/i,
    (_match, output) => {
      const library = /NVML library version: ([\w.]+)/i.exec(output)?.[1];
      const version = library === undefined ? "" : ` (library ${library})`;
      return `NVIDIA driver/library version mismatch${version}: reboot, or reload the NVIDIA kernel modules`;
    },
    // The kernel module loads only on a machine with a GPU.
    true,
  ],
  [
    /couldn't communicate with the NVIDIA driver/i,
    () =>
      "nvidia-smi cannot communicate with the NVIDIA driver: install or load the driver (modprobe nvidia), or reboot after a kernel update",
  ],
  [/No supported GPUs were found/i, () => "the NVIDIA driver found no supported GPU"],
  [
    /No devices were found/i,
    () => "no NVIDIA GPU was found: if this box has one, check the driver's log (dmesg)",
  ],
  [
    /Failed to initialize NVML: Unknown Error/i,
    () =>
      "NVML failed to start (Unknown Error): in a container a systemd reload causes this; restart the container",
  ],
  [
    /Failed to initialize NVML: (?:Insufficient Permissions|GPU access blocked[^\n]*)/i,
    () => "nvidia-smi may not read the GPU: give this user or container access to it",
  ],
  [
    /Unable to determine the device handle for GPU\s?([0-9A-Fa-f:.]+): ([^\n]+)/i,
    ([, gpu, cause]) =>
      `GPU ${gpu} does not answer (${cause?.trim()}): it may have fallen off the bus; reset it or reboot`,
    true,
  ],
];

/**
 * Returns the field that a driver refused, or null. One unknown field fails the whole query, code
 * 2.
 */
export const refusedField = (output: string): string | null =>
  /Field "([^"]+)" is not a valid field/i.exec(output)?.[1] ?? null;

/**
 * @param hasGpu  whether the machine has an NVIDIA GPU; null if unknown
 * @example gpuFailure({ output: "No devices were found", code: 6, signal: null, spawnError: null
 *   }).permanent // true
 */
export function gpuFailure(
  { output, code, signal, spawnError }: ToolEnd,
  hasGpu: boolean | null = null,
): GpuFailure {
  if (spawnError === "ENOENT" || code === 127) {
    return {
      reason:
        hasGpu === false
          ? "nvidia-smi was not found, and this machine has no NVIDIA GPU"
          : "nvidia-smi was not found: install the NVIDIA driver, or set NVIDIA_SMI to its path",
      permanent: true,
      isFault: false, // a box without the tool is normal
    };
  }
  const isFault = hasGpu === true;
  if (spawnError !== null)
    return {
      reason: `nvidia-smi could not be started (${spawnError})`,
      permanent: spawnError === "EACCES",
      isFault,
    };
  for (const [pattern, reasonOf, isProof = false] of KNOWN) {
    const match = pattern.exec(output);
    if (match !== null)
      return {
        reason: reasonOf(match, output).slice(0, REASON_CHARS_MAX),
        permanent: true,
        isFault: isFault || isProof,
      };
  }
  const firstLine = output
    .split("\n")
    .map((line) => line.trim())
    .find((line) => line !== "");
  const ending = signal === null ? `exit code ${code ?? "unknown"}` : signal;
  const reason =
    firstLine === undefined
      ? `nvidia-smi ended (${ending})`
      : `nvidia-smi ended (${ending}): ${firstLine}`;
  return { reason: reason.slice(0, REASON_CHARS_MAX), permanent: false, isFault };
}
