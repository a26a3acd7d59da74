/** The text of a scrape, and the strict parser with which other tests read it. */
import { expect, test } from "vitest";
import { Histogram } from "../../../../worker/counting/histogram.ts";
import type { Family } from "../../../../worker/exposition/family.ts";
import { render } from "../../../../worker/exposition/text.ts";
import { parseExposition } from "../../../support/exposition-parser.ts";

test("renders a small scrape exactly", () => {
  const counter: Family = {
    name: "ollama_model_requests_total",
    type: "counter",
    help: "Requests.",
    labels: ["model", "status"],
  };
  const latency: Family = {
    name: "ollama_request_latency_ms",
    type: "histogram",
    help: "Latency.",
    labels: ["model"],
    buckets: [100, 500],
  };
  const load: Family = {
    name: "ollama_model_load_seconds",
    type: "histogram",
    help: "Load.",
    labels: [],
    buckets: [0.001, 2.5],
  };
  const empty: Family = {
    name: "ollama_queue_depth",
    type: "gauge",
    help: "Waiting.",
    labels: ["box"],
  };
  const families = [
    { family: counter, samples: [{ labels: ["llama3.2", "success"], value: 42 }] },
    {
      family: latency,
      samples: [{ labels: ["llama3.2"], histogram: histogramOf([100, 500], [100, 100.5, 9_000]) }],
    },
    { family: load, samples: [{ labels: [], histogram: histogramOf([0.001, 2.5], [0.25]) }] },
    { family: empty, samples: [] },
  ];
  expect(render(families, false)).toBe(`# HELP ollama_model_requests_total Requests.
# TYPE ollama_model_requests_total counter
ollama_model_requests_total{model="llama3.2",status="success"} 42.0
# HELP ollama_request_latency_ms Latency.
# TYPE ollama_request_latency_ms histogram
ollama_request_latency_ms_bucket{model="llama3.2",le="100"} 1.0
ollama_request_latency_ms_bucket{model="llama3.2",le="500"} 2.0
ollama_request_latency_ms_bucket{model="llama3.2",le="+Inf"} 3.0
ollama_request_latency_ms_sum{model="llama3.2"} 9200.5
ollama_request_latency_ms_count{model="llama3.2"} 3.0
# HELP ollama_model_load_seconds Load.
# TYPE ollama_model_load_seconds histogram
ollama_model_load_seconds_bucket{le="0.001"} 0.0
ollama_model_load_seconds_bucket{le="2.5"} 1.0
ollama_model_load_seconds_bucket{le="+Inf"} 1.0
ollama_model_load_seconds_sum 0.25
ollama_model_load_seconds_count 1.0
# HELP ollama_queue_depth Waiting.
# TYPE ollama_queue_depth gauge
`);
  const openMetrics = render(families, true);
  expect(openMetrics).toContain(
    "# TYPE ollama_model_requests counter\nollama_model_requests_total{",
  );
  expect(openMetrics.endsWith("\n# EOF\n")).toBe(true);
});

const REFUSED: [name: string, text: string][] = [
  ["a split family", "# HELP a A.\n# TYPE a gauge\na 1\n# HELP b B.\n# TYPE b gauge\nb 1\na 2\n"],
  ["a repeated family", "# HELP a A.\n# TYPE a gauge\n# HELP a A.\n# TYPE a gauge\n"],
  ["a repeated series", '# HELP a A.\n# TYPE a gauge\na{x="1"} 1\na{x="1"} 2\n'],
  ["a missing TYPE", "# HELP a A.\na 1\n"],
  [
    "a missing +Inf bucket",
    '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 1\na_sum 1\na_count 1\n',
  ],
  [
    "decreasing counts",
    '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\na_sum 1\na_count 1\n',
  ],
  [
    "+Inf that differs from _count",
    '# HELP a A.\n# TYPE a histogram\na_bucket{le="1"} 1\na_bucket{le="+Inf"} 1\na_sum 1\na_count 2\n',
  ],
  ["a raw quote", '# HELP a A.\n# TYPE a gauge\na{x="1"2"} 1\n'],
  ["an empty line", "# HELP a A.\n# TYPE a gauge\n\n"],
  ["a missing newline at the end", "# HELP a A.\n# TYPE a gauge\na 1"],
];

test.each(REFUSED)("the strict parser rejects %s", (_name, text) => {
  expect(() => parseExposition(text)).toThrow();
});

function histogramOf(edges: number[], values: number[]): Histogram {
  const histogram = new Histogram(edges);
  for (const value of values) histogram.add(value);
  return histogram;
}
