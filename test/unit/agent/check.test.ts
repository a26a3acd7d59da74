/** `--check` against a scripted Ollama and an edge that accepts every box. */
import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test } from "vitest";
import { check } from "../../../agent/check.ts";
import { configOf } from "../../../agent/config.ts";
import { findingLines } from "../../../agent/terminal/findings.ts";
import { painted, unpainted } from "../../../agent/terminal/paint.ts";
import { FakeEdge } from "../../support/fake-edge.ts";
import { fakeSmi } from "../../support/fake-nvidia-smi.ts";
import { NOBODY } from "../../support/stack.ts";

/** Returns the printed lines by part. `answers` maps paths of Ollama to JSON. */
async function checked(
  answers: Record<string, unknown>,
  more: Record<string, string> = {},
): Promise<Map<string, string>> {
  const ollama = createServer(({ url = "" }, response) => {
    response.writeHead(url in answers ? 200 : 404).end(JSON.stringify(answers[url] ?? null));
  });
  ollama.listen(0, "127.0.0.1");
  await once(ollama, "listening");
  const address = ollama.address();
  const port = typeof address === "object" ? address?.port : 0;
  await using edge = await FakeEdge.listen();
  const lines = new Map<string, string>();
  try {
    const environment = {
      EDGE_URL: edge.url,
      BOX_SECRET: "a secret",
      OLLAMA_HOST: `http://127.0.0.1:${port}`,
      NVIDIA_SMI: "/nonexistent/nvidia-smi",
      ...more,
    };
    await check(configOf(environment), null, null, (line) => {
      const [, part = ""] = /^\S+ +(\S+)/.exec(line) ?? [];
      lines.set(part, line);
    });
  } finally {
    ollama.closeAllConnections();
    ollama.close();
  }
  return lines;
}

const status = (disabled: boolean) => ({
  "/api/status": { cloud: { disabled, source: disabled ? "env" : "none" } },
});

test.each([
  ["set", status(true), /^ok +cloud +off in Ollama: OLLAMA_NO_CLOUD/],
  ["not set", status(false), /^none +cloud +OLLAMA_NO_CLOUD is not set for Ollama\. The agent ref/],
  ["not reported", {}, /^none +cloud +this Ollama does not report whether OLLAMA_NO_CLOUD is set/],
])("--check reports that OLLAMA_NO_CLOUD is %s", async (_name, answers, line) => {
  expect((await checked(answers)).get("cloud")).toMatch(line);
});

test("--check reports that the owner allows server tools", async () => {
  expect((await checked(status(false), { ALLOW_SERVER_TOOLS: "1" })).get("cloud")).toMatch(
    /lets callers use server tools/,
  );
});

test("--check names a secret that is missing, where the edge requires one", async () => {
  const edge = createServer();
  edge.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n"));
  edge.listen(0, "127.0.0.1");
  await once(edge, "listening");
  const address = edge.address();
  const EDGE_URL = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  try {
    const missing = await checked({}, { EDGE_URL, BOX_SECRET: "" });
    expect(missing.get("edge")).toMatch(/refused this box: BOX_SECRET is not set\. Set it to/);
    const wrong = await checked({}, { EDGE_URL, BOX_SECRET: "wrong" });
    expect(wrong.get("edge")).not.toMatch(/is not set/);
  } finally {
    edge.closeAllConnections();
    edge.close();
  }
});

test.each([
  ["61.50", /^ok +gpu +NVIDIA L40S, 46068 MiB VRAM, power readable; driver 595\.80$/],
  ["[N/A]", /^ok +gpu +NVIDIA L40S, 46068 MiB VRAM, power not readable; driver 595\.80$/],
])("--check shows driver, VRAM and whether power is readable: %s W", async (watts, line) => {
  const row = {
    index: "0",
    uuid: "GPU-1",
    name: "NVIDIA L40S",
    driver_version: "595.80",
    "memory.used": "1",
    "memory.total": "46068",
    "power.draw": watts,
  };
  const { command } = fakeSmi([{ rows: [row] }]);
  expect((await checked({}, { NVIDIA_SMI: command })).get("gpu")).toMatch(line);
});

test("check prints its findings in a fixed order, however late each is, with the next step", async () => {
  const lines: string[] = [];
  const slow = fakeSmi([{ rows: [], ending: "exit", code: 9, text: "no devices" }]);
  await using edge = await FakeEdge.listen();
  const environment = { EDGE_URL: edge.url, OLLAMA_HOST: NOBODY, NVIDIA_SMI: slow.command };
  const isGood = await check(configOf({ ...environment, BOX_NAME: "b" }), null, null, (line) =>
    lines.push(line),
  );
  expect(isGood).toBe(false);
  expect(lines.map((line) => line.slice(0, 15).trimEnd())).toEqual([
    "ok     edge",
    "FAILED ollama",
    "",
    "none   cloud",
    "",
    "none   gpu",
    "",
    "1 part must be",
  ]);
  expect(lines[2]).toMatch(/^ {15}→ Start Ollama, e\.g\. systemctl start ollama/);
  expect(lines.at(-1)).toBe("1 part must be mended.");
});

test("colours the findings in a terminal only", () => {
  const finding = { ok: false, isRequired: true, part: "edge", detail: "away", next: null };
  expect(findingLines(finding, painted)).toEqual(["\x1b[31mFAILED\x1b[39m edge    away"]);
  expect(findingLines({ ...finding, ok: true }, painted)[0]).toMatch("\x1b[32mok    \x1b[39m edge");
  expect(findingLines(finding, unpainted)).toEqual(["FAILED edge    away"]);
});
