import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { painted } from "../../../../agent/terminal/paint.ts";
import { BUSY, pageOf, REQUEST } from "./shown-status.ts";

test("shows a busy box on 80 columns", () => {
  expect(pageOf(BUSY).join("\n")).toBe(`Box       atlas
Edge      https://edge.example.workers.dev, connected for 3 h 12 min, round trip
          18 ms
Agent     0.1.0, the version of its edge
Running   for 2 d 2 h as process 4242, listening on 127.0.0.1:11500
Ollama    0.24.0 at http://127.0.0.1:11434, 12 models on disk
Records   all delivered
Machine   CPU 23 %, memory 31.0 of 64.0 GiB, disk 71 % full

MODEL IN MEMORY     SIZE  IN VRAM  ON GPU  CONTEXT  UNLOADS
llama3.2:3b       3.4 GB   3.4 GB   100 %    4,096  in 4 min 18 s
qwen2.5:32b      24.0 GB  15.0 GB    63 %   32,768  never

GPU                        BUSY              VRAM   TEMP         POWER
0 NVIDIA GeForce RTX 4090  87 %  18.5 of 24.0 GiB  86 °C  388 of 450 W

2 requests in flight, 1 of them waiting, 28.4 tok/s
REQUEST      PHASE          AGE  TOKENS  TOK/S  ENDPOINT              KEY
llama3.2:3b  decode        12 s     340   28.4  /api/chat             3f2a9c1…
llama3.2:3b  queue, no. 1   2 s       –      –  /v1/chat/completions  –`);
});

test("shows why the box is not connected, and what to do about each concern", () => {
  const page = pageOf({
    ...BUSY,
    agent: { ...BUSY.agent, listen: null },
    edge: {
      ...BUSY.edge,
      is_up: false,
      since_ms: BUSY.now_ms - 12_000,
      version: "0.2.0",
      tunnel_ms: null,
      reason: "connect ECONNREFUSED 127.0.0.1:8000",
    },
    ollama: { ...BUSY.ollama, reachable: false, error: "connect ECONNREFUSED", loaded: [] },
    gpu: { error: "nvidia-smi was not found", driver_version: null, gpus: [] },
    system: null,
    requests: [],
    records: { waiting: 1_204, lost: 2 },
    concerns: [
      {
        code: "ollama_unreachable",
        severity: "critical",
        sentence: "Box atlas cannot reach its Ollama: connect ECONNREFUSED 127.0.0.1:11434",
        advice:
          "Start Ollama, e.g. systemctl start ollama, or set OLLAMA_HOST to its address and restart the agent.",
      },
      {
        code: "clock_skew",
        severity: "warning",
        sentence: "Box atlas has a clock that is 40 s ahead: turn on time synchronization",
        advice: null,
      },
    ],
  });
  expect(page.join("\n")).toBe(`Box       atlas
Edge      https://edge.example.workers.dev, not connected for 12 s
          connect ECONNREFUSED 127.0.0.1:8000
          → Requests from the edge do not reach this box. Check the network and
          the address; the agent keeps trying.
Agent     0.1.0, but its edge has 0.2.0: update it on the Boxes page, or run
          install.sh
Running   for 2 d 2 h as process 4242
Ollama    http://127.0.0.1:11434 does not answer
GPU       none: nvidia-smi was not found
Records   1,204 waiting for the edge, 2 lost

! Box atlas cannot reach its Ollama: connect ECONNREFUSED 127.0.0.1:11434
→ Start Ollama, e.g. systemctl start ollama, or set OLLAMA_HOST to its address
  and restart the agent.

! Box atlas has a clock that is 40 s ahead: turn on time synchronization

No request is in flight.`);
});

test("shows a dash for what is unknown, and a measured 0 as 0", () => {
  const page = pageOf({
    ...BUSY,
    edge: { ...BUSY.edge, is_up: false, since_ms: BUSY.now_ms, version: null, tunnel_ms: null },
    ollama: { ...BUSY.ollama, reachable: null, version: null, models: 0, loaded: [] },
    gpu: {
      ...BUSY.gpu,
      gpus: [
        {
          index: 0,
          name: "GPU",
          utilization_percent: 0,
          memory_used_mb: null,
          memory_total_mb: null,
          temperature_c: null,
          power_draw_w: null,
          power_limit_w: 450,
        },
      ],
    },
    requests: [{ ...REQUEST, model: null, phase: null, completion_tokens: 0, key_id: null }],
  });
  expect(page.slice(2).join("\n")).toBe(`          the first attempt has not ended
          → Requests from the edge do not reach this box. Check the network and
          the address; the agent keeps trying.
Agent     0.1.0
Running   for 2 d 2 h as process 4242, listening on 127.0.0.1:11500
Ollama    http://127.0.0.1:11434, not polled yet
Records   all delivered
Machine   CPU 23 %, memory 31.0 of 64.0 GiB, disk 71 % full

GPU    BUSY  VRAM  TEMP  POWER
0 GPU   0 %     –     –      –

1 request in flight, 28.4 tok/s
REQUEST  PHASE   AGE  TOKENS  TOK/S  ENDPOINT   KEY
–        –      12 s       0   28.4  /api/chat  –`);
});

test.each([80, 60, 100])("keeps within %d columns, whatever the names are", (width) => {
  const long = "hf.co/a-very-long-organisation-name/a-model-with-an-even-longer-name-GGUF:Q4_K_M";
  const page = pageOf(
    {
      ...BUSY,
      box: "b".repeat(63),
      requests: [{ ...REQUEST, model: long, tokens_per_second: 12_345.6 }],
      ollama: {
        ...BUSY.ollama,
        loaded: BUSY.ollama.loaded.map((model) => ({ ...model, name: long })),
      },
    },
    { width },
  );
  expect(page.filter((line) => line.length > width && !line.includes("b".repeat(63)))).toEqual([]);
});

test("counts the lines that do not fit the height", () => {
  const requests = Array.from({ length: 50 }, () => REQUEST);
  const whole = pageOf({ ...BUSY, requests });
  const page = pageOf({ ...BUSY, requests }, { height: 24 });
  expect(page).toHaveLength(24);
  expect(page.at(-1)).toBe(`… ${whole.length - 23} more lines`);
});

test("colours what failed red and what waits yellow", () => {
  const edge = { ...BUSY.edge, is_up: false, reason: "refused" };
  const page = pageOf({ ...BUSY, edge }, { paint: painted }).join("\n");
  expect(page).toContain("\x1b[31mhttps://edge.example.workers.dev, not connected");
  expect(page).toContain("\x1b[33mqueue, no. 1\x1b[39m");
  // The colours take no room.
  expect(stripVTControlCharacters(page)).toBe(pageOf({ ...BUSY, edge }).join("\n"));
});

test("takes the age of a request by the clock of the edge, where it began", () => {
  const edge = { ...BUSY.edge, clock_skew_ms: 5_000 };
  expect(pageOf({ ...BUSY, edge }).join("\n")).toMatch(/decode +7 s/);
});
