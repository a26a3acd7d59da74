/** The life of the listener: binding, backpressure, draining and stopping. */
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { ListenError } from "../../../../agent/errors.ts";
import { Listening } from "../../../support/listening.ts";
import { eventually, NOBODY, untilStill } from "../../../support/stack.ts";
import {
  inFrontOf,
  lastLine,
  listenForAll,
  listening,
  MODEL,
  messages,
  simulated,
} from "./scene.ts";

listenForAll();

/** 64 MiB through one process take seconds on a busy machine. */
const LARGE_ANSWER_MS = 30_000;

test(
  "stops reading Ollama when the caller does not read, instead of filling memory",
  () => {
    const total = 64 * 1024 * 1024;
    let written = 0;
    return inFrontOf(
      async (request, response) => {
        request.resume();
        const gone = once(response, "close");
        const chunk = Buffer.alloc(64 * 1024);
        for (; written < total && !response.destroyed; written += chunk.length)
          if (!response.write(chunk)) await Promise.race([once(response, "drain"), gone]);
        response.end();
      },
      async (own) => {
        const answer = await fetch(`${own.url}/api/show`, { method: "POST", body: "{}" });
        const reader = answer.body?.getReader();
        await reader?.read();
        await untilStill(() => written);
        expect(written).toBeLessThan(total / 2);
        let part = await reader?.read();
        while (part && !part.done) part = await reader?.read();
        expect(written).toBe(total);
        expect(await own.recordOf(answer)).toMatchObject({ status: "success" });
      },
    );
  },
  LARGE_ANSWER_MS,
);

test("names the address that it cannot listen on, and the reason", async () => {
  const listen = (host: string, port: number) => Listening.start(NOBODY, { host, port });
  const port = Number(new URL(listening.url).port);
  await expect(listen("127.0.0.1", port)).rejects.toThrow(
    new ListenError(
      `cannot listen on 127.0.0.1:${port}: another program uses that port. Choose another --listen port`,
    ),
  );
  await expect(listen("203.0.113.7", 0)).rejects.toThrow(
    "cannot listen on 203.0.113.7:0: that address does not belong to this machine",
  );
  await expect(listen("no-such-host.invalid", 0)).rejects.toThrow(
    "cannot listen on no-such-host.invalid:0: that host name does not resolve",
  );
});

test.each(["127.0.0.1", "localhost", "0.0.0.0", "::"])(
  "refuses to listen on %s at the port of its own Ollama",
  async (host) => {
    const port = Number(new URL(simulated.url).port);
    await expect(Listening.start(simulated.url, { host, port })).rejects.toThrow(
      /that is the address of the Ollama to forward to/,
    );
  },
);

test("finishes open calls and refuses new ones while draining", async () => {
  await using own = await Listening.start(simulated.url);
  simulated.fault([{ kind: "slow_first_token", ms: 300 }]);
  const seen = simulated.requests().length;
  const socket = connect(Number(new URL(own.url).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk) => {
    text += chunk.toString();
  });
  const body = JSON.stringify({
    model: MODEL,
    messages,
    stream: false,
    options: { num_predict: 2 },
  });
  const send = () =>
    socket.write(
      `POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    );
  send();
  await eventually(async () => simulated.requests().length > seen);
  const drained = own.listener.drain();
  send(); // on the open connection, it waits behind the first and comes too late
  await drained;
  simulated.fault([]);
  expect(own.records()[0]).toMatchObject({ status: "success", completion_tokens: 2 });
  await eventually(async () => text.includes("503 Service Unavailable"));
  expect(text).toContain("Box b is draining and accepts no new requests. Try again later.");
  expect(own.records()).toHaveLength(1);
  await expect(fetch(`${own.url}/api/version`)).rejects.toThrow();
  socket.destroy();
});

test("ends an open answer with an error in its own format when stopped, and records it", async () => {
  const own = await Listening.start(simulated.url);
  const answer = await fetch(`${own.url}/api/chat`, {
    method: "POST",
    body: JSON.stringify({ model: MODEL, messages, options: { num_predict: 100_000 } }),
  });
  const text = answer.text();
  await eventually(async () => own.listener.inFlight === 1 && own.listener.queued === 0);
  const stopped = own.listener.stop();
  expect(lastLine(await text)).toEqual({
    error: "The agent was stopped while it served this request. Try again when it is running.",
  });
  await stopped;
  expect(await own.recordOf(answer)).toMatchObject({
    status: "error",
    failed_at: "gateway",
    http_status: 200,
  });
  await own[Symbol.asyncDispose]();
});

test("records nothing without a spool, and forwards a body without additions", async () => {
  await using own = await Listening.start(simulated.url, { records: false });
  const body = { model: MODEL, messages, stream: true, max_tokens: 2 };
  const answer = await own.call("POST", "/v1/chat/completions", JSON.stringify(body));
  expect(answer.status).toBe(200);
  expect(JSON.parse(simulated.requests().at(-1)?.body.toString() ?? "")).toEqual(body);
  expect(own.records()).toEqual([]);
});

test("records no prompt and no response when text is not kept", async () => {
  await using own = await Listening.start(simulated.url, { keepsText: false });
  const answer = await own.call("POST", "/api/chat", JSON.stringify({ model: MODEL, messages }));
  const record = await own.recordOf(answer);
  expect(record).toMatchObject({ prompt: null, response: null, status: "success" });
  expect(record.completion_tokens).toBeGreaterThan(0);
});

test("answers with Ollama's own error, but records only its code when text is not kept", async () => {
  await using own = await Listening.start(simulated.url, { keepsText: false });
  simulated.fault([{ kind: "error_line", after_chunks: 0, message: "cannot parse canary-text" }]);
  const answer = await own.call("POST", "/api/chat", JSON.stringify({ model: MODEL, messages }));
  expect(answer.text).toContain("canary-text");
  expect(await own.recordOf(answer)).toMatchObject({
    status: "error",
    failed_at: "ollama",
    error_message: "ollama_error: The message is not stored because LOG_CONTENT is off.",
  });
});

test("records only a code for a body that is not JSON when text is not kept", async () => {
  await using own = await Listening.start(simulated.url, { keepsText: false });
  const answer = await own.call("POST", "/api/chat", '{"prompt": canary-text');
  expect(answer.status).toBe(400);
  const { error_message } = await own.recordOf(answer);
  expect(error_message).toBe("bad_request: The message is not stored because LOG_CONTENT is off.");
});
