import http from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { InventoryPoller } from "../../../../agent/readings/inventory.ts";
import { Inventory } from "../../../../protocol/inventory.ts";
import { waitFor } from "../../../support/wait-for.ts";
import { PS, TAGS } from "./inventory-scene.ts";

test("sends requests like a local program, and reports each change once", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base);
  await waitFor(() =>
    expect(polling.changes.at(-1)).toMatchObject({
      reachable: true,
      error: null,
      ollama_version: "0.32.15",
    }),
  );
  expect(Inventory.safeParse(polling.poller.latest()).success).toBe(true);
  const seen = ollama.count("/api/ps");
  await waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(seen + 3));
  expect(polling.changes).toHaveLength(1);
  for (const headers of ollama.headers) {
    expect(headers.host).toBe("localhost:11434");
    expect(headers.origin).toBeUndefined();
  }
  ollama.respond("/api/ps", { models: [] });
  await waitFor(() => expect(polling.changes).toHaveLength(2));
  expect(polling.changes.at(-1)).toMatchObject({ loaded: [] });
});

test("requests the models on disk rarely, and at once on a refresh", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { pollsPerListing: 1_000_000 });
  await waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(5));
  expect([ollama.count("/api/tags"), ollama.count("/api/version")]).toEqual([1, 1]);
  ollama.respond("/api/tags", { models: [] });
  await polling.poller.refresh();
  expect(polling.poller.latest().models).toEqual([]);
  expect(ollama.count("/api/tags")).toBe(2);
});

test("requests the models on disk once more when one is in memory that is not among them", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { pollsPerListing: 1_000_000 });
  await waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(1));
  const created = { ...TAGS.models[0], name: "created:1b", model: "created:1b" };
  ollama.respond("/api/tags", { models: [...TAGS.models, created] });
  ollama.respond("/api/ps", {
    models: ["created:1b", "deleted:1b"].map((name) => ({ ...PS.models[0], name, model: name })),
  });
  await waitFor(() =>
    expect(polling.poller.latest().models.map(({ name }) => name)).toContain("created:1b"),
  );
  const polls = ollama.count("/api/ps");
  await waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(polls + 3));
  expect(ollama.count("/api/tags")).toBe(2);
});

test("requests the models on disk again after the configured number of polls", async () => {
  await using ollama = await fakeOllama();
  await using _polling = poll(ollama.base, { pollsPerListing: 3 });
  await waitFor(() => expect(ollama.count("/api/tags")).toBeGreaterThanOrEqual(3));
  const pollsBefore = ollama.paths
    .join(" ")
    .split("/api/tags")
    .map((part) => part.split("/api/ps").length - 1);
  expect(pollsBefore.slice(0, 3)).toEqual([1, 3, 3]);
});

test("never overlaps polls, however often it is refreshed", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base);
  await Promise.all(Array.from({ length: 50 }, () => polling.poller.refresh()));
  expect(ollama.openMax()).toBe(1);
  expect(ollama.count("/api/tags")).toBe(2);
});

test("looks at once for a model that is due, and again until it is there", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { pollMs: 1_000_000 });
  await polling.poller.refresh();
  const before = ollama.count("/api/ps");
  const looking = polling.poller.expect("new:1b", true);
  const beside = polling.poller.expect("new:1b", true).then(() => polling.poller.latest());
  await waitFor(() => expect(ollama.count("/api/ps")).toBeGreaterThan(before));
  ollama.respond("/api/ps", { models: [{ ...PS.models[0], name: "new:1b" }] });
  await looking;
  expect((await beside).loaded.map(({ name }) => name)).toEqual(["new:1b"]);
  expect(polling.poller.hasLoaded("new:1b")).toBe(true);
  expect(polling.changes.at(-1)?.loaded.map(({ name }) => name)).toEqual(["new:1b"]);
  const found = ollama.count("/api/ps");
  await polling.poller.expect("new:1b", true);
  expect(ollama.count("/api/ps")).toBe(found);
});

test("gives up on a model that does not come, and looks once for many requests", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { pollMs: 1_000_000 });
  await polling.poller.refresh();
  const before = ollama.count("/api/ps");
  await Promise.all(Array.from({ length: 50 }, () => polling.poller.expect("never:1b", true)));
  await polling.poller.expect("never:1b", true);
  expect(ollama.count("/api/ps") - before).toBeLessThanOrEqual(8);
});

test("looks again when a model expires", async () => {
  await using ollama = await fakeOllama();
  const expires_at = new Date(Date.parse("2026-08-01T00:00:00.000Z") + 200).toISOString();
  ollama.respond("/api/ps", { models: [{ ...PS.models[0], expires_at }] });
  await using polling = poll(ollama.base, { pollMs: 1_000_000 });
  await waitFor(() => expect(polling.poller.latest().loaded).toHaveLength(1));
  ollama.respond("/api/ps", { models: [] });
  await waitFor(() => expect(polling.poller.latest().loaded).toEqual([]));
});

test("answers one refresh without a start", async () => {
  await using ollama = await fakeOllama();
  const poller = new InventoryPoller({ base: ollama.base, log: () => {}, onChange: () => {} });
  expect(poller.latest()).toMatchObject({
    reachable: false,
    error: "Ollama has not been polled yet",
  });
  await poller.refresh();
  expect(poller.latest()).toMatchObject({ reachable: true });
  poller.stop();
});

const BROKEN: [kind: string, answer: (response: http.ServerResponse) => void, error: RegExp][] = [
  [
    "a 403 without a body",
    (response) => response.writeHead(403).end(),
    /^Ollama answered \/api\/ps with HTTP 403$/,
  ],
  [
    "a redirect, which is not followed",
    (response) => response.writeHead(307, { location: "http://127.0.0.1:1/" }).end(),
    /with HTTP 307/,
  ],
  ["plain text", (response) => response.end("Ollama is running"), /not JSON/],
  ["other JSON", (response) => response.end("[]"), /not a list of models/],
  [
    "an answer that is too large",
    (response) => response.end(Buffer.alloc(9 * 1024 * 1024, 0x20)),
    /larger than 8388608 bytes/,
  ],
  [
    "half an answer",
    (response) =>
      response.writeHead(200, { "content-length": 100 }).write("{", () => response.destroy()),
    /closed the connection/,
  ],
  ["no answer", () => {}, /did not answer \/api\/ps within 1 s/],
];

test.each(BROKEN)(
  "reports %s as unreachable with the reason, and recovers",
  async (_kind, answer, error) => {
    await using ollama = await fakeOllama();
    await using polling = poll(ollama.base, { timeoutMs: 1_000 });
    await waitFor(() => expect(polling.poller.latest().reachable).toBe(true));
    ollama.answer(answer);
    await waitFor(() =>
      expect(polling.poller.latest()).toMatchObject({
        reachable: false,
        error: expect.stringMatching(error),
        loaded: [],
      }),
    );
    expect(polling.poller.latest().models).toHaveLength(1);
    ollama.answer(null);
    // A poll that began before may find Ollama reachable and its list of loaded models still silent.
    await waitFor(() =>
      expect(polling.poller.latest()).toMatchObject({
        reachable: true,
        error: null,
        loaded: [expect.anything()],
      }),
    );
    expect(polling.events).toEqual(["ollama_reachable", "ollama_unreachable", "ollama_reachable"]);
  },
);

test("treats an Ollama that is loading a model, which delays only /api/ps, as reachable", async () => {
  await using ollama = await fakeOllama();
  await using polling = poll(ollama.base, { timeoutMs: 500 });
  await waitFor(() => expect(polling.poller.latest().reachable).toBe(true));
  ollama.hang("/api/ps");
  const before = polling.poller.latest().at;
  await waitFor(() => expect(polling.poller.latest().at).not.toBe(before));
  expect(polling.poller.latest()).toMatchObject({ reachable: true, error: null });
  expect(polling.poller.latest().loaded).toHaveLength(1);
});

test("suggests starting Ollama if nothing listens", async () => {
  const ollama = await fakeOllama();
  await ollama[Symbol.asyncDispose]();
  await using polling = poll(ollama.base);
  await waitFor(() =>
    expect(polling.poller.latest().error).toMatch(
      /^nothing is listening at 127.0.0.1:\d+; is Ollama running\?$/,
    ),
  );
});

test("reports no change after the stop", async () => {
  await using ollama = await fakeOllama();
  const { poller, changes } = poll(ollama.base);
  poller.stop();
  await poller.refresh();
  expect(changes).toEqual([]);
});

function poll(
  base: URL,
  options: { pollMs?: number; pollsPerListing?: number; timeoutMs?: number } = {},
) {
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
    count: (path: string) => paths.filter((requested) => requested === path).length,
    openMax: () => openMax,
    respond: (path: string, answer: unknown) => answers.set(path, answer),
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
