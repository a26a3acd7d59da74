import { expect, test } from "vitest";
import { passedHeaders } from "../../../protocol/answer-headers.ts";

test.each([
  ["application/json", "application/json"],
  ["application/json; charset=utf-8", "application/json; charset=utf-8"],
  ["application/x-ndjson", "application/x-ndjson"],
  ["text/event-stream", "text/event-stream"],
  ["text/plain;charset=UTF-8", "text/plain;charset=UTF-8"],
  ["application/octet-stream", "application/octet-stream"],
  ["text/html", "application/octet-stream"],
  ["text/html, application/json", "application/octet-stream"],
  ["application/json, text/html", "application/octet-stream"],
  ["application/json;text/html", "application/octet-stream"],
  ["text/plain; charset=utf-7", "application/octet-stream"],
  ["text/javascript", "application/octet-stream"],
  ["image/svg+xml", "application/octet-stream"],
  ["multipart/x-mixed-replace; boundary=x", "application/octet-stream"],
  ["", "application/octet-stream"],
])("passes the type %s as %s", (sent, passed) => {
  expect(passedHeaders([["content-type", sent]])).toEqual([["content-type", passed]]);
});

test("passes the length and the time to retry, the first of each name, and nothing else", () => {
  expect(
    passedHeaders([
      ["set-cookie", "a=b"],
      ["content-type", "text/plain"],
      ["content-type", "text/html"],
      ["content-length", "12"],
      ["content-length", "13"],
      ["retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"],
      ["location", "https://evil.example/"],
      ["access-control-allow-origin", "*"],
      ["content-security-policy", "default-src *"],
      ["x-request-id", "forged"],
    ]),
  ).toEqual([
    ["content-type", "text/plain"],
    ["content-length", "12"],
    ["retry-after", "Fri, 31 Dec 2027 23:59:59 GMT"],
  ]);
  expect(
    passedHeaders([
      ["content-length", "-1"],
      ["retry-after", "<b>"],
    ]),
  ).toEqual([]);
});
