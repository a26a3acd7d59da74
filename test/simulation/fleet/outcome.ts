/** The figures of a world with several boxes, when it has come to rest. */
export type FleetOutcome = {
  boxes: number;
  calls: number;
  steps: number;
  faults: number;
  moved: number;
  /** Completed by two boxes, because the answer of the first was lost with its tunnel. */
  again: number;
  waited: number;
  /** Placed where they wait, while another box was idle: the choice was checked. */
  checked: number;
  /** Queues in which several keys waited at once. */
  lanes: number;
  /** Calls that keys with limits were admitted, and refused. */
  counted: number;
  limited: number;
  /** Number of calls by the result that their callers got. */
  results: Record<string, number>;
};
