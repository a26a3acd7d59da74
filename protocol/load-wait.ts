/** The time from which a request counts as one that waited for its model to load. */

/** A shorter load phase is that of a model in memory. An edge of the histogram of loads. */
export const LOAD_MS_MIN = 750;
