/** Redaction on the way of a real stream: the caller has every byte, the disk and the record do not. */
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { REDACTED_KINDS } from "../../../../agent/redact/patterns.ts";
import { redactOf } from "../../../../agent/redact/redaction.ts";
import { Spool } from "../../../../agent/spool/spool.ts";
import { newRequestId } from "../../../../protocol/request-id.ts";
import { Listening } from "../../../support/listening.ts";
import { opened } from "../../../support/spool-requests.ts";
import { standInFacts } from "../../../support/stand-in-facts.ts";
import { temporaryFolder } from "../../../support/temporary.ts";

/** Divided in the middle of what is removed. */
const PIECES = ["Mail ada", "@example", ".com or 41", "11 1111 1111 1111, At", "las."];
const line = (fields: object) => `${JSON.stringify({ model: "m", ...fields })}\n`;
const ANSWER = [
  ...PIECES.map((content) => line({ message: { role: "assistant", content }, done: false })),
  line({ message: { role: "assistant", content: "" }, done: true, eval_count: 5 }),
];
const FACTS = standInFacts("m:latest", "0.24.0");
const ERROR = JSON.stringify({ error: "cannot read ada@example.com" });

const ollama = createServer(async (request, answer) => {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  const fact = FACTS[request.url ?? ""];
  if (fact !== undefined) {
    answer.end(JSON.stringify(fact));
    return;
  }
  if (body.includes("fail")) {
    answer.writeHead(500, { "content-type": "application/json" }).end(ERROR);
    return;
  }
  answer.writeHead(200, { "content-type": "application/x-ndjson" });
  for (const each of ANSWER) {
    answer.write(each);
    await new Promise((resolve) => setImmediate(resolve));
  }
  answer.end();
});
await new Promise<void>((resolve) => ollama.listen(0, "127.0.0.1", resolve));
afterAll(() => {
  ollama.closeAllConnections();
  return new Promise((resolve) => ollama.close(resolve));
});

const url = `http://127.0.0.1:${(ollama.address() as AddressInfo).port}`;
const redact = redactOf(REDACTED_KINDS, ["atlas"]);
const ask = (content: string) =>
  JSON.stringify({ model: "m", messages: [{ role: "user", content }], stream: true });

test("the record of a streamed answer is redacted, and the answer is not, byte for byte", async () => {
  await using listening = await Listening.start(url, { redact });
  const json = { "content-type": "application/json" };
  const answer = await listening.call("POST", "/api/chat", ask("I am bob@example.com"), json);
  expect(answer.text).toBe(ANSWER.join(""));
  expect(await listening.recordOf(answer)).toMatchObject({
    prompt: expect.stringContaining("I am [email]"),
    response: "Mail [email] or [card], [redacted].",
    completion_tokens: 5,
  });
  const failed = await listening.call("POST", "/api/chat", ask("fail"), json);
  expect(failed.text).toBe(ERROR);
  const { error_message } = await listening.recordOf(failed);
  expect(error_message).toContain("cannot read [email]");
  const files = readdirSync(listening.folder, { recursive: true, withFileTypes: true });
  const written = files
    .filter((file) => file.isFile())
    .map((file) => readFileSync(join(file.parentPath, file.name), "utf8"))
    .join("");
  expect(written).toContain("[email]");
  for (const secret of ["bob@", "ada@", "4111", "tlas"]) expect(written).not.toContain(secret);
});

test("without redaction, the record has the texts as they were", async () => {
  await using listening = await Listening.start(url);
  const json = { "content-type": "application/json" };
  const answer = await listening.call("POST", "/api/chat", ask("I am bob@example.com"), json);
  expect((await listening.recordOf(answer)).response).toBe(PIECES.join(""));
});

test("the record of a request in which the agent is killed has a redacted prompt and no answer", () => {
  const folder = join(temporaryFolder("redacted-"), "spool");
  const options = { now: Date.now, log: () => {}, redact };
  const killed = Spool.open(folder, options);
  const id = newRequestId(Date.now());
  killed.begin(opened(id, "I am bob@example.com"));
  const noted = { ttft_ms: 5, completion_tokens: 2, http_status: 200, response: "Mail ada@exam" };
  killed.note([{ request_id: id, ...noted }]);
  const next = Spool.open(folder, options);
  expect(next.next(9)?.records).toMatchObject([
    { prompt: "I am [email]", response: null, completion_tokens: 2 },
  ]);
  for (const spool of [killed, next]) spool.close();
});
