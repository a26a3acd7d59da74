/** Readings and requests, and the energy that each request has by them. */
import { GAP_MS, MEAN_MS_MIN, SETTLE_MS, STRETCH_MS } from "../../../../agent/measure/energy.ts";

type Step =
  | ["read", gpu: number, watts: number | null, atMs: number]
  | ["mean", gpu: number, watts: number | null, atMs: number]
  | ["begin" | "end", id: string, atMs: number]
  | ["tick", atMs: number];

/** Readings of constant power, often enough for any request. */
const steady = (gpu: number, watts: number, fromMs: number, toMs: number): Step[] =>
  Array.from({ length: Math.floor((toMs - fromMs) / 100) + 1 }, (_, n) => [
    "read",
    gpu,
    watts,
    fromMs + 100 * n,
  ]);

export const CASES: [rule: string, steps: Step[], joules: Record<string, number | null>][] = [
  [
    "measures constant power",
    [
      ...steady(0, 100, 0, 0),
      ["begin", "a", 0],
      ...steady(0, 100, 100, 1_000),
      ["end", "a", 1_000],
    ],
    { a: 100 },
  ],
  [
    "measures power that rises linearly",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", 100],
      ["read", 0, 300, 200],
    ],
    { a: 15 },
  ],
  [
    "gives a request between two readings its part of the energy between them",
    [
      ["read", 0, 20, 0],
      ["begin", "a", 50],
      ["end", "a", 150],
      ["read", 0, 220, 200],
    ],
    { a: 12 },
  ],
  [
    "divides power equally between two requests while both are open",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["begin", "b", 100],
      ["end", "a", 200],
      ["end", "b", 300],
      ["read", 0, 100, 300],
    ],
    { a: 15, b: 15 },
  ],
  [
    "sums the GPUs of the box",
    [
      ["read", 0, 100, 0],
      ["read", 1, 50, 0],
      ["begin", "a", 0],
      ["end", "a", 100],
      ["read", 0, 100, 150],
      ["read", 1, 50, 150],
    ],
    { a: 15 },
  ],
  [
    "does not settle a request until every GPU has been read again",
    [
      ["read", 0, 100, 0],
      ["read", 1, 50, 0],
      ["begin", "a", 0],
      ["end", "a", 100],
      ["read", 0, 100, 150],
    ],
    { a: null },
  ],
  [
    "settles a request that waits too long for a reading with the last one",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", 200],
      ["tick", 200 + SETTLE_MS],
    ],
    { a: 20 },
  ],
  [
    "does not count energy twice after it was settled with the last reading",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["begin", "b", 0],
      ["end", "a", 200],
      ["tick", 200 + SETTLE_MS],
      ...steady(0, 100, 400, 30_000),
      ["end", "b", 30_000],
    ],
    { a: 10, b: 2_990 },
  ],
  [
    "is unknown without a GPU",
    [
      ["begin", "a", 0],
      ["end", "a", 1_000],
    ],
    { a: null },
  ],
  [
    "is unknown for a GPU that does not report its power",
    [
      ["read", 0, null, 0],
      ["begin", "a", 0],
      ["read", 0, null, 100],
      ["end", "a", 100],
    ],
    { a: null },
  ],
  [
    "is unknown if one of two GPUs does not report its power",
    [
      ["read", 0, 100, 0],
      ["read", 1, null, 0],
      ["begin", "a", 0],
      ["end", "a", 50],
      ["read", 0, 100, 100],
      ["read", 1, null, 100],
    ],
    { a: null },
  ],
  [
    "is unknown for requests open at a reading without a number, or before the next number",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["read", 0, null, 100],
      ["begin", "b", 150],
      ["end", "a", 180],
      ["read", 0, 100, 200],
      ["end", "b", 250],
      ["begin", "c", 250],
      ["end", "c", 300],
      ["read", 0, 100, 300],
    ],
    { a: null, b: null, c: 5 },
  ],
  [
    "is unknown if the readings pause for longer than a short request allows",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ["end", "a", STRETCH_MS + 1],
      ["read", 0, 100, STRETCH_MS + 1],
    ],
    { a: null },
  ],
  [
    "bridges a pause in the readings of at most a tenth of the request",
    [
      ...steady(0, 100, 0, 0),
      ["begin", "a", 0],
      ...steady(0, 100, 1_000, 10_000),
      ["end", "a", 10_000],
      ["begin", "b", 10_000],
      ...steady(0, 100, 11_000, 19_900),
      ["end", "b", 19_900],
    ],
    { a: 1_000, b: null },
  ],
  [
    "is unknown across a gap in the readings, however long the request is",
    [
      ["read", 0, 100, 0],
      ["begin", "a", 0],
      ...steady(0, 100, GAP_MS + 1, 20 * GAP_MS),
      ["end", "a", 20 * GAP_MS],
    ],
    { a: null },
  ],
  [
    "is unknown for a request that begins after the readings have stopped",
    [
      ["read", 0, 100, 0],
      ["begin", "a", GAP_MS + 1],
      ["end", "a", GAP_MS + 2],
    ],
    { a: null },
  ],
  [
    "is unknown for requests open when a GPU disappears, and uses the other GPUs for later ones",
    [
      ["read", 0, 100, 0],
      ["read", 1, 100, 0],
      ["begin", "a", 0],
      ...steady(0, 100, 100, 6_000),
      ["begin", "b", 6_000],
      ["end", "a", 6_100],
      ["end", "b", 6_100],
      ["read", 0, 100, 6_200],
    ],
    { a: null, b: 5 },
  ],
  [
    "is unknown for a request that began before the first reading",
    [
      ["begin", "a", 0],
      ["read", 0, 100, 100],
      ["end", "a", 200],
      ["read", 0, 100, 200],
    ],
    { a: null },
  ],
  [
    "assumes that a GPU rested until the first request, however old its last reading is",
    [["mean", 0, 100, 0], ["begin", "a", 900], ...steady(0, 600, 900, 1_400), ["end", "a", 1_400]],
    { a: 300 },
  ],
  [
    "gives a request the energy of a mean that exceeds the power of the GPU at rest",
    [
      ["mean", 0, 100, 0],
      ["mean", 0, 100, 1_000],
      ["begin", "a", 1_500],
      // Half of this second at 500 W, half at rest.
      ["mean", 0, 300, 2_000],
      ["mean", 0, 500, 3_000],
      ["end", "a", 3_500],
      ["mean", 0, 300, 4_000],
    ],
    { a: 1_000 },
  ],
  [
    "is unknown for a short request if there are only means",
    [
      ["mean", 0, 100, 0],
      ["mean", 0, 100, 1_000],
      ["begin", "a", 1_000],
      ["end", "a", 1_000 + MEAN_MS_MIN - 1],
      ["mean", 0, 100, 2_000],
      ["mean", 0, 100, 3_000],
    ],
    { a: null },
  ],
  [
    "ignores means while there is instantaneous power",
    [
      ...steady(0, 100, 0, 0),
      ["begin", "a", 0],
      ...steady(0, 100, 100, 900),
      ["mean", 0, 999, 950],
      ...steady(0, 100, 1_000, 2_000),
      ["end", "a", 2_000],
    ],
    { a: 200 },
  ],
  [
    "follows a power cap that is lowered during the request",
    [
      ...steady(0, 700, 0, 0),
      ["begin", "a", 0],
      ...steady(0, 700, 100, 1_000),
      ...steady(0, 300, 1_100, 2_000),
      ["end", "a", 2_000],
    ],
    { a: 1_020 },
  ],
  [
    "measures by means when the stream of instantaneous power has died",
    [
      ["mean", 0, 100, -1_000],
      ...steady(0, 100, 0, 0),
      ["begin", "a", 0],
      ...steady(0, 100, 100, 1_000),
      ["mean", 0, 100, 2_000],
      ["mean", 0, 400, 3_000],
      ["end", "a", 3_000],
    ],
    { a: 600 },
  ],
];

/** The method of the cases that have energy, unless it is "instant". */
export const METHODS: Record<string, string> = {
  "gives a request the energy of a mean that exceeds the power of the GPU at rest": "mean",
  "measures by means when the stream of instantaneous power has died": "mean",
};
