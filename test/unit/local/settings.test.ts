import { createServer } from "node:net";
import { resolve } from "node:path";
import { expect, test } from "vitest";
import { shortened } from "../../../local/box.ts";
import { checkPort } from "../../../local/edge.ts";
import {
  boxSecretOf,
  foldersOf,
  isDemoOf,
  localSettingsOf,
  SettingsError,
} from "../../../local/settings.ts";

test("every setting has its default in an empty environment", () => {
  expect(localSettingsOf({}, "gpu box.local")).toEqual({
    port: 8_000,
    ollamaUrl: new URL("http://127.0.0.1:11434"),
    stateDir: resolve(".state"),
    box: "gpu-box.local",
    worker: { AUTH_MODE: "open" },
  });
});

test.each([
  ["127.0.0.1:11434", "http://127.0.0.1:11434/"],
  ["0.0.0.0", "http://127.0.0.1:11434/"],
  ["0.0.0.0:9000", "http://127.0.0.1:9000/"],
  [":9000", "http://127.0.0.1:9000/"],
  ["gpu.local", "http://gpu.local:11434/"],
  ["http://gpu.local:9000", "http://gpu.local:9000/"],
  ["https://gpu.local", "https://gpu.local/"],
])("OLLAMA_HOST=%s is called at %s", (written, dialled) => {
  expect(localSettingsOf({ OLLAMA_HOST: written }, "box").ollamaUrl.href).toBe(dialled);
});

const REFUSED: [environment: Record<string, string>, message: RegExp][] = [
  [{ PORT: "web" }, /^PORT is not a port/],
  [{ PORT: "0" }, /^PORT is not a port/],
  [{ PORT: "70000" }, /^PORT is not a port/],
  [{ OLLAMA_HOST: "ftp://box" }, /^OLLAMA_HOST is not an address/],
  [{ OLLAMA_HOST: "not a host" }, /^OLLAMA_HOST is not an address/],
  [{ OLLAMA_HOST: "http://user:pass@box" }, /^OLLAMA_HOST is not an address/],
  [{ BOX_NAME: "two words" }, /^BOX_NAME is not a box name/],
  [
    { AUTH_MODE: "foo" },
    /^AUTH_MODE must be "keys" or "open"\. Without it, npm start needs no keys\.$/,
  ],
  [
    { ADMIN_KEY: "too-short" },
    /^ADMIN_KEY must .* For example: ADMIN_KEY=\$\(openssl rand -hex 24\)$/,
  ],
  [{ BOX_SECRETS: "desk=weak" }, /^BOX_SECRETS must give box desk a secret of at least 16/],
  [{ LOG_CONTENT: "maybe" }, /^LOG_CONTENT must be "on" or "off"\.$/],
];

test.each(REFUSED)(
  "%o is refused in one line that names the variable and not its value",
  (environment, message) => {
    const parse = () => localSettingsOf(environment, "box");
    expect(parse).toThrow(SettingsError);
    expect(parse).toThrow(message);
    expect(parse).not.toThrow(Object.values(environment)[0]);
    expect(parse).not.toThrow("\n");
  },
);

test.each([
  [
    { AUTH_MODE: "keys" },
    "ADMIN_KEY must be set because AUTH_MODE is keys. For example: ADMIN_KEY=$(openssl rand -hex 24) npm start",
  ],
  [
    { EXPORTER_TYPE: "clickhouse" },
    "CLICKHOUSE_URL is not set, but EXPORTER_TYPE is clickhouse. Set CLICKHOUSE_URL as well.",
  ],
])(
  "%o, which the Worker would refuse at every call, is refused with local advice",
  (environment, message) => {
    expect(() => localSettingsOf(environment, "box")).toThrow(new SettingsError(message));
  },
);

test("reports every invalid setting, one a line", () => {
  expect(() => localSettingsOf({ PORT: "web", AUTH_MODE: "foo" }, "box")).toThrow(
    /^PORT .*\nAUTH_MODE .*$/,
  );
});

test("the Worker gets its own settings, but neither empty nor other variables", () => {
  const { worker } = localSettingsOf(
    { AUTH_MODE: "keys", ADMIN_KEY: "0123456789abcdef", CALLER_KEY: "", HOME: "/root" },
    "box",
  );
  expect(worker).toEqual({ AUTH_MODE: "keys", ADMIN_KEY: "0123456789abcdef" });
});

test("a local edge with an ADMIN_KEY requires keys, unless AUTH_MODE states otherwise", () => {
  const ADMIN_KEY = "0123456789abcdef";
  const modeOf = (environment: Record<string, string>) =>
    localSettingsOf(environment, "box").worker.AUTH_MODE;
  expect(modeOf({ ADMIN_KEY })).toBe("keys");
  expect(modeOf({ ADMIN_KEY, AUTH_MODE: "open" })).toBe("open");
  expect(modeOf({ ADMIN_KEY: "" })).toBe("open");
});

test("an argument that does not exist is refused with the way to set something", () => {
  expect([isDemoOf([]), isDemoOf(["--demo"])]).toEqual([false, true]);
  for (const args of [["--help"], ["--demo", "--port=9000"]])
    expect(() => isDemoOf(args)).toThrow(/and --(help|port=9000) is one\. .*PORT=8001 npm start/);
  expect(() => isDemoOf(["x"])).toThrow(SettingsError);
});

test("real, simulated and demo stacks never share a folder", () => {
  const folders = (["real", "simulated", "demo"] as const).flatMap((kind) => {
    const { edge, agent } = foldersOf("/state", kind);
    return [edge, agent("a"), ...(kind === "demo" ? [agent("b")] : [])];
  });
  expect(new Set(folders).size).toBe(folders.length);
});

test.each([
  ["a=one,b=two", "b", "two"],
  ["a=one, b=t=w=o", "b", "t=w=o"],
  ["ab=one", "b", null],
  [undefined, "b", null],
])("in BOX_SECRETS %s the secret of %s is %s", (secrets, box, secret) => {
  expect(boxSecretOf(secrets, box)).toBe(secret);
});

test("a port in use is refused in an error that names PORT", async () => {
  const taken = createServer();
  const port = await new Promise<number>((done) => {
    taken.listen(0, "127.0.0.1", () => {
      const address = taken.address();
      done(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  await expect(checkPort(port)).rejects.toThrow(`PORT ${port} is in use by another program`);
  await new Promise((done) => taken.close(done));
  await checkPort(port);
});

test.each([
  ['{"time":"t","level":"info","event":"tunnel_up","edge":"x"}', null],
  ['{"time":"t","level":"warn","event":"tunnel_down","up_s":5}', "warn tunnel down up_s=5"],
  ["TypeError: x is not a function", "TypeError: x is not a function"],
])("the log line %s of an agent is shown as %s", (line, shown) => {
  expect(shortened(line)).toBe(shown);
});
