/** How long nvidia-smi may take, and the waits between its runs. */
export type NvidiaSmiTiming = {
  /**
   * A probe that takes longer is killed. Half a second is normal, 6 s were seen with several GPUs.
   */
  probeMs: number;
  /** Delay of a row, beyond three intervals, after which the process counts as silent. */
  silenceSlackMs: number;
  /** First wait after a failure. It doubles up to one of the two limits below. */
  backoffMs: number;
  backoffMaxMs: number;
  /** Limit for failures that only a person can fix: no driver, no GPU. */
  backoffPermanentMaxMs: number;
  /** A run with rows that lasts this long resets the backoff. */
  steadyMs: number;
  /** Longest wait of `stop` for the end of a killed process. */
  stopMs: number;
};

export const TIMING: NvidiaSmiTiming = {
  probeMs: 10_000,
  silenceSlackMs: 10_000,
  backoffMs: 1_000,
  backoffMaxMs: 60_000,
  backoffPermanentMaxMs: 300_000,
  steadyMs: 60_000,
  stopMs: 2_000,
};
