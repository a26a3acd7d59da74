/** The shape of a metric family. */
export type Family = {
  /** The name in the exposition; a counter's ends in `_total`. */
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
  /** Upper bounds of a histogram, without +Inf. */
  buckets?: readonly number[];
};
