import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test, vi } from "vitest";
import { InventoryPoller } from "../../../../agent/readings/inventory.ts";
import {
  fingerprintOf,
  installedOf,
  loadedOf,
  versionOf,
} from "../../../../agent/readings/inventory-parse.ts";
import { Inventory } from "../../../../protocol/inventory.ts";

const TAGS = {
  models: [
    {
      name: "llama3.2:latest",
      model: "llama3.2:latest",
      modified_at: "2025-10-03T23:34:03.409490317-07:00",
      size: 2019393189,
      digest: "a80c4f17acd5",
      details: {
        parent_model: "",
        format: "gguf",
        family: "llama",
        families: ["llama"],
        parameter_size: "3.2B",
        quantization_level: "Q4_K_M",
      },
      capabilities: ["completion"],
    },
  ],
};
const PS = {
  models: [
    {
      name: "gemma4",
      model: "gemma4",
      size: 6591830464,
      digest: "c6eb396dbd59",
      details: { family: "gemma4" },
      expires_at: "2317-10-17T16:47:07.93355-07:00",
      size_vram: 5333539264,
      context_length: 4096,
    },
  ],
};

test("models on disk", () => {
  expect(installedOf(TAGS)).toEqual([
    {
      name: "llama3.2:latest",
      size_bytes: 2019393189,
      digest: "a80c4f17acd5",
      family: "llama",
      parameter_size: "3.2B",
      quantization: "Q4_K_M",
      modified_at: "2025-10-03T23:34:03.409490317-07:00",
    },
  ]);
});

test("models in memory, partly on the CPU, kept for ever", () => {
  expect(loadedOf(PS)).toEqual([
    {
      name: "gemma4",
      size_bytes: 6591830464,
      size_vram_bytes: 5333539264,
      context_length: 4096,
      expires_at: "2317-10-17T16:47:07.93355-07:00",
    },
  ]);
});

test.each<[why: string, entry: unknown, read: unknown[]]>([
  [
    "only a name",
    { name: "a" },
    [
      {
        name: "a",
        size_bytes: null,
        digest: null,
        family: null,
        parameter_size: null,
        quantization: null,
        modified_at: null,
      },
    ],
  ],
  ["an older or newer name field", { model: "a" }, [expect.objectContaining({ name: "a" })]],
  [
    "fields of odd types",
    { name: "a", size: "big", digest: 7, details: [] },
    [expect.objectContaining({ size_bytes: null, digest: null, family: null })],
  ],
  [
    "empty texts",
    { name: "a", details: { family: "", parameter_size: "" } },
    [expect.objectContaining({ family: null, parameter_size: null })],
  ],
  ["no name", { size: 1 }, []],
  ["a name too long", { name: "x".repeat(513) }, []],
  ["no object", "a", []],
  [
    "a stub of a cloud model",
    {
      name: "gpt-oss:120b-cloud",
      remote_host: "https://ollama.com:443",
      remote_model: "gpt-oss:120b",
    },
    [],
  ],
])("an entry with %s", (_why, entry, read) => {
  expect(installedOf({ models: [entry] })).toEqual(read);
});

test.each([
  [{ models: null }, []],
  [{ models: [] }, []],
  [{}, null],
  [[], null],
  ["Ollama is running", null],
  [null, null],
])("the list %j", (answer, models) => {
  expect(installedOf(answer)).toEqual(models);
  expect(loadedOf(answer)).toEqual(models);
});

test("versions", () => {
  expect(versionOf({ version: "0.32.15" })).toBe("0.32.15");
  expect([versionOf({}), versionOf(null), versionOf({ version: 3 })]).toEqual([null, null, null]);
});

test("only names, version and reachability are worth telling at once", () => {
  const inventory: Inventory = {
    at: "2026-08-01T00:00:00.000Z",
    reachable: true,
    error: null,
    ollama_version: "1",
    models: installedOf(TAGS) ?? [],
    loaded: loadedOf(PS) ?? [],
  };
  const later = {
    ...inventory,
    at: "2026-08-02T00:00:00.000Z",
    loaded: inventory.loaded.map((model) => ({ ...model, expires_at: "later" })),
  };
  expect(fingerprintOf(later)).toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, loaded: [] })).not.toBe(fingerprintOf(inventory));
  expect(
    fingerprintOf({
      ...inventory,
      models: inventory.models.map((model) => ({ ...model, digest: "new" })),
    }),
  ).not.toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, ollama_version: "2" })).not.toBe(fingerprintOf(inventory));
  expect(fingerprintOf({ ...inventory, reachable: false })).not.toBe(fingerprintOf(inventory));
});

test("it asks as a local program, and tells what changed once", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base);
  await vi.waitFor(() =>
    expect(polling.changes.at(-1)).toMatchObject({
      reachable: true,
      error: null,
      ollama_version: "0.32.15",
    }),
  );
  expect(Inventory.safeParse(polling.poller.latest()).success).toBe(true);
  const seen = ollama.count("/api/ps");
  await vi.waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(seen + 3));
  expect(polling.changes).toHaveLength(1);
  for (const headers of ollama.headers) {
    expect(headers.host).toBe("localhost:11434");
    expect(headers.origin).toBeUndefined();
  }
  ollama.say("/api/ps", { models: [] });
  await vi.waitFor(() => expect(polling.changes).toHaveLength(2));
  expect(polling.changes.at(-1)).toMatchObject({ loaded: [] });
});

test("models on disk are asked for seldom, and at once by a refresh", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { pollsPerListing: 1_000_000 });
  await vi.waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(5));
  expect([ollama.count("/api/tags"), ollama.count("/api/version")]).toEqual([1, 1]);
  ollama.say("/api/tags", { models: [] });
  await polling.poller.refresh();
  expect(polling.poller.latest().models).toEqual([]);
  expect(ollama.count("/api/tags")).toBe(2);
});

test("models on disk are asked for again after the set number of polls", async () => {
  await using ollama = await fakeOllama();
  await using _polling = poll(ollama.base, { pollsPerListing: 3 });
  await vi.waitFor(() => expect(ollama.count("/api/tags")).toBeGreaterThanOrEqual(3));
  const pollsBefore = ollama.paths
    .join(" ")
    .split("/api/tags")
    .map((part) => part.split("/api/ps").length - 1);
  expect(pollsBefore.slice(0, 3)).toEqual([1, 3, 3]);
});

test("polls never overlap, however often a refresh is asked for", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base);
  await Promise.all(Array.from({ length: 50 }, () => polling.poller.refresh()));
  expect(ollama.openMax()).toBe(1);
  expect(ollama.count("/api/tags")).toBe(2);
});

test("one question works without a start", async () => {
  await using ollama = await fakeOllama();
  const poller = new InventoryPoller({ base: ollama.base, log: () => {}, onChange: () => {} });
  expect(poller.latest()).toMatchObject({ reachable: false, error: "Ollama was not asked yet" });
  await poller.refresh();
  expect(poller.latest()).toMatchObject({ reachable: true });
  poller.stop();
});

const BROKEN: [why: string, answer: (response: http.ServerResponse) => void, error: RegExp][] = [
  [
    "a 403 without a body",
    (response) => response.writeHead(403).end(),
    /^Ollama answered 403 to \/api\/ps$/,
  ],
  [
    "a redirect, which is not followed",
    (response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
    /answered 307/,
  ],
  ["text", (response) => response.end("Ollama is running"), /not JSON/],
  ["other JSON", (response) => response.end("[]"), /not a list of models/],
  [
    "too much",
    (response) => response.end(Buffer.alloc(9 * 1024 * 1024, 0x20)),
    /larger than 8388608 bytes/,
  ],
  [
    "half an answer",
    (response) =>
      response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy()),
    /closed the connection/,
  ],
  ["nothing", () => {}, /did not answer \/api\/ps within 0.2 s/],
];

test.each(BROKEN)(
  "%s is a state with the reason, and ends by itself",
  async (_why, answer, error) => {
    await using ollama = await fakeOllama();
    await using polling = poll(ollama.base, { timeoutMs: 200 });
    await vi.waitFor(() => expect(polling.poller.latest().reachable).toBe(true));
    ollama.answer(answer);
    await vi.waitFor(
      () =>
        expect(polling.poller.latest()).toMatchObject({
          reachable: false,
          error: expect.stringMatching(error),
          loaded: [],
        }),
      5_000,
    );
    expect(polling.poller.latest().models).toHaveLength(1);
    ollama.answer(null);
    await vi.waitFor(() =>
      expect(polling.poller.latest()).toMatchObject({ reachable: true, error: null }),
    );
    expect(polling.poller.latest().loaded).toHaveLength(1);
    expect(polling.events).toEqual(["ollama_reachable", "ollama_unreachable", "ollama_reachable"]);
  },
);

test("an Ollama that is busy loading is reachable: its scheduler holds /api/ps, not /api/version", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { timeoutMs: 100 });
  await vi.waitFor(() => expect(polling.poller.latest().reachable).toBe(true));
  ollama.hang("/api/ps");
  const before = polling.poller.latest().at;
  await vi.waitFor(() => expect(polling.poller.latest().at).not.toBe(before), 5_000);
  expect(polling.poller.latest()).toMatchObject({ reachable: true, error: null });
  expect(polling.poller.latest().loaded).toHaveLength(1);
});

test("nothing listens", async () => {
  const ollama = await fakeOllama();
  await ollama[Symbol.asyncDispose]();
  await using polling = poll(ollama.base);
  await vi.waitFor(() =>
    expect(polling.poller.latest().error).toMatch(
      /^nothing listens at 127.0.0.1:\d+: is Ollama running\?$/,
    ),
  );
});

test("after the stop nothing is told", async () => {
  await using ollama = await fakeOllama();
  const { poller, changes } = poll(ollama.base);
  poller.stop();
  await poller.refresh();
  expect(changes).toEqual([]);
});

function poll(base: URL, options: { pollsPerListing?: number; timeoutMs?: number } = {}) {
  const changes: Inventory[] = [];
  const events: string[] = [];
  let clock = Date.parse("2026-08-01T00:00:00.000Z");
  const poller = new InventoryPoller({
    base,
    log: (_level, event) => events.push(event),
    onChange: (inventory) => changes.push(inventory),
    now: () => clock++,
    pollMs: 5,
    ...options,
  });
  poller.start();
  return { poller, changes, events, [Symbol.asyncDispose]: async () => poller.stop() };
}

async function fakeOllama() {
  const answers = new Map<string, unknown>([
    ["/api/ps", PS],
    ["/api/tags", TAGS],
    ["/api/version", { version: "0.32.15" }],
  ]);
  const paths: string[] = [];
  const headers: http.IncomingHttpHeaders[] = [];
  const hanging = new Set<string>();
  let broken: ((response: http.ServerResponse) => void) | null = null;
  let [open, openMax] = [0, 0];
  const server = http.createServer((request, response) => {
    const path = request.url ?? "";
    paths.push(path);
    headers.push(request.headers);
    open += 1;
    openMax = Math.max(openMax, open);
    response.on("close", () => {
      open -= 1;
    });
    if (hanging.has(path)) return;
    if (broken !== null) return broken(response);
    response.end(JSON.stringify(answers.get(path)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    base: new URL(`http://127.0.0.1:${port}`),
    headers,
    paths,
    count: (path: string) => paths.filter((asked) => asked === path).length,
    openMax: () => openMax,
    say: (path: string, answer: unknown) => answers.set(path, answer),
    hang: (path: string) => hanging.add(path),
    answer: (with_: typeof broken) => {
      broken = with_;
    },
    [Symbol.asyncDispose]: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
