import { expect, test } from "vitest";
import {
  forwardsToItself,
  listenAddressOf,
  shownAddress,
  urlOf,
} from "../../../../agent/listen/listen-address.ts";

const ACCEPTED: [text: string, host: string, port: number, url: string][] = [
  ["11500", "127.0.0.1", 11_500, "http://127.0.0.1:11500"],
  ["0.0.0.0:11500", "0.0.0.0", 11_500, "http://127.0.0.1:11500"],
  ["[::1]:11500", "::1", 11_500, "http://[::1]:11500"],
  ["[::]:0", "::", 0, "http://[::1]:0"],
  ["gpu.lan:80", "gpu.lan", 80, "http://gpu.lan:80"],
];

test.each(ACCEPTED)("parses --listen %s", (text, host, port, url) => {
  expect(listenAddressOf(text)).toEqual({ host, port });
  expect(urlOf({ host, port })).toBe(url);
  if (text.includes(":")) expect(shownAddress({ host, port })).toBe(text);
});

test.each(["", "x", ":11500", "65536", "http://127.0.0.1:11500", "::1:80", "127.0.0.1:", "a b:1"])(
  "refuses --listen %j",
  (text) => {
    expect(() => listenAddressOf(text)).toThrow(/^--listen must be \[host:\]port/);
  },
);

const LOOPS: [host: string, port: number, ollama: string, does: boolean][] = [
  ["127.0.0.1", 11_434, "http://127.0.0.1:11434", true],
  ["localhost", 11_434, "http://127.0.0.1:11434", true],
  ["0.0.0.0", 11_434, "http://localhost:11434", true],
  ["::", 11_434, "http://[::1]:11434", true],
  ["127.0.0.1", 443, "https://127.0.0.1", true],
  ["127.0.0.1", 11_435, "http://127.0.0.1:11434", false],
  ["127.0.0.1", 11_434, "http://[::1]:11434", false],
  ["0.0.0.0", 11_434, "http://192.0.2.1:11434", false],
  ["0.0.0.0", 11_434, "http://no-such-host.invalid:11434", false],
];

test.each(LOOPS)(
  "knows whether listening on %s:%i and forwarding to %s is a loop: %s",
  async (host, port, ollama, does) => {
    expect(await forwardsToItself({ host, port }, new URL(ollama))).toBe(does);
  },
);
