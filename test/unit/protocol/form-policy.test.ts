import { expect, test } from "vitest";
import { checkForm } from "../../../protocol/form-policy.ts";

const TYPE = "multipart/form-data; boundary=xyz";
const encoder = new TextEncoder();

const part = (head: string, content: string) => `--xyz\r\n${head}\r\n\r\n${content}\r\n`;
const field = (name: string, value: string) =>
  part(`Content-Disposition: form-data; name="${name}"`, value);
const END = "--xyz--\r\n";
const AUDIO = part(
  'Content-Disposition: form-data; name="file"; filename="a \\"b\\".wav"\r\nContent-Type: audio/wav',
  "RIFF\0--xy\r\n--x",
);

const check = (text: string, type: string | null = TYPE) => checkForm(type, encoder.encode(text));

test("a form of each client names its model and is forwarded byte for byte", async () => {
  const form = new FormData();
  form.append("file", new Blob([new Uint8Array(5_000).fill(0x2d)]), "žluť.wav");
  form.append("model", "whisper:1b");
  form.append("response_format", "json");
  const response = new Response(form);
  const bytes = new Uint8Array(await response.arrayBuffer());
  expect(checkForm(response.headers.get("content-type"), bytes)).toEqual({
    ok: true,
    body: { bytes, model: "whisper:1b", stream: false },
  });
  for (const [text, type] of [
    [`${AUDIO}${field("model", "m:1b")}${END}`, TYPE],
    [`${field("model", "m:1b")}${AUDIO}--xyz--`, 'Multipart/Form-Data;boundary="xyz"'],
    [
      `${part("content-disposition:form-data; name=model".replace("model", '"model"'), "m:1b")}${END}`,
      TYPE,
    ],
    [
      `${field("model", "m:1b")}${part("Content-Disposition: form-data; name=\"file\"; filename*=utf-8''a.wav", "x")}${END}`,
      TYPE,
    ],
  ] as const)
    expect(check(text, type)).toMatchObject({ ok: true, body: { model: "m:1b" } });
  expect(check(`${AUDIO}${END}`)).toMatchObject({ ok: true, body: { model: null } });
});

const REFUSED: [name: string, text: string, detail: string, type?: string | null][] = [
  ["another type", `${AUDIO}${END}`, "must be a form", "application/json"],
  ["no type", `${AUDIO}${END}`, "must be a form", null],
  [
    "a boundary with another parameter",
    END,
    "must be a form",
    `${TYPE}; charset=utf-8; boundary=y`,
  ],
  ["text before the boundary", `x\r\n${AUDIO}${END}`, "begin with its boundary"],
  ["text behind the end", `${AUDIO}${END}${AUDIO}`, "behind its end"],
  ["no end", AUDIO, "before its closing boundary"],
  ["two models", `${field("model", "a")}${field("model", "b")}${END}`, "occurs twice"],
  // Go accepts each of these, and would find a field that this parser did not.
  ["spaces behind a boundary", `--xyz \r\n${field("model", "b").slice(7)}${END}`, "inside a line"],
  ["line feeds alone", field("model", "b").replaceAll("\r\n", "\n") + END, "inside a line"],
  [
    "a boundary within a line",
    `${part('Content-Disposition: form-data; name="prompt"', "x --xyz y")}${END}`,
    "inside a line",
  ],
  [
    "a folded header",
    `${part('Content-Disposition: form-data;\r\n name="model"', "b")}${END}`,
    "malformed",
  ],
  [
    "a name in parts",
    `${part('Content-Disposition: form-data; name*0="mo"; name*1="del"', "b")}${END}`,
    "malformed name",
  ],
  [
    "an escaped name",
    `${part('Content-Disposition: form-data; name="mo\\del"', "b")}${END}`,
    "malformed name",
  ],
  [
    "two dispositions",
    `${part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="model"', "b")}${END}`,
    "two names",
  ],
  [
    "an encoded part",
    `${part('Content-Disposition: form-data; name="model"\r\nContent-Transfer-Encoding: quoted-printable', "gpt=3Acloud")}${END}`,
    "is encoded",
  ],
  ["a part without headers", `--xyz\r\n\r\nx\r\n${END}`, "no end of its headers"],
  ["a part without a name", `${part("Content-Type: text/plain", "x")}${END}`, "no name"],
  ["a head without an end", `--xyz\r\n${"x".repeat(9_000)}\r\n${END}`, "no end of its headers"],
  ["a model that is too long", `${field("model", "m".repeat(513))}${END}`, "at most 512"],
  ["many parts", `${field("a", "b").repeat(101)}${END}`, "more than 100 parts"],
  ["nothing", "", "begin with its boundary"],
];

test.each(REFUSED)("refuses a form with %s", (_name, text, detail, type = TYPE) => {
  expect(check(text, type)).toMatchObject({
    ok: false,
    failure: { reason: "bad_request", detail: expect.stringContaining(detail) },
  });
});

test("refuses a cloud model in a form, even in the place of a file", () => {
  for (const text of [
    field("model", "gpt-oss:cloud"),
    part('Content-Disposition: form-data; name="model"; filename=""', "gpt-oss:cloud"),
  ])
    expect(check(text + END)).toEqual({
      ok: false,
      failure: { reason: "cloud_model", model: "gpt-oss:cloud" },
    });
});
