/** `install.sh`, run by sh in a folder that stands for the root of a machine. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { AgentVariables } from "../../../../agent/config.ts";
import {
  AGENT,
  agentFile,
  at,
  CODE,
  EDGE_URL,
  envFile,
  install,
  SECRET,
  SOURCE,
  stateFile,
  UNIT,
  unitFile,
  useMachine,
} from "../../../support/installing.ts";

useMachine();

const calls = () => readFileSync(at("calls"), "utf8");
const isInstalled = () => existsSync(agentFile());

test("installs the agent, its unit and its settings, and starts it", () => {
  const done = install({ EDGE_URL, BOX_NAME: "home", BOX_SECRET: SECRET });
  expect(done).toMatchObject({ status: 0, stderr: "" });
  expect(done.settings).toEqual({
    EDGE_URL,
    BOX_NAME: "home",
    BOX_SECRET: SECRET,
    OLLAMA_HOST: "http://127.0.0.1:11434",
  });
  expect(readFileSync(agentFile(), "utf8")).toBe(AGENT);
  expect(readFileSync(unitFile(), "utf8")).toBe(UNIT);
  expect(statSync(envFile()).mode & 0o777).toBe(0o600);
  expect(calls()).toMatch(/curl --proto =https -fsSL https:\/\/edge\.example\/agent\/agent\.mjs/);
  expect(calls()).toMatch(/systemctl restart ollama-edge-agent\.service/);
  expect(calls()).not.toContain(SECRET);
});

const commandFile = () => at("root/usr/local/bin/ollama-edge-agent");
const runtimeFile = () => at("root/usr/local/lib/ollama-edge-agent/ollama-edge-agent");
const startFile = () => at("root/etc/systemd/system/ollama-edge-agent.service.d/executable.conf");

test("installs a command that runs the agent with the state of the service", () => {
  install({ EDGE_URL, BOX_NAME: "home", BOX_SECRET: SECRET });
  expect(statSync(commandFile()).mode & 0o777).toBe(0o755);
  expect(readFileSync(commandFile(), "utf8")).toBe(
    `#!/bin/sh\nSTATE_DIR=\${STATE_DIR:-/var/lib/ollama-edge-agent} exec node /usr/local/lib/ollama-edge-agent/agent.mjs "$@"\n`,
  );
});

test("without Node, installs and goes on using the executable that runs the agent", () => {
  const old = `#!/bin/sh\ncase $1 in -p) echo 18 ;; *) echo v18 ;; esac\n`;
  writeFileSync(at("bin/node"), old, { mode: 0o755 });
  const settings = { EDGE_URL, BOX_NAME: "home", BOX_SECRET: SECRET };
  const refused = install(settings);
  expect(refused.stderr).toContain("this is v18; or set AGENT_EXECUTABLE to the single executable");
  writeFileSync(at("given"), `#!/bin/sh\nexec ${process.execPath} "$@"\n`, { mode: 0o755 });
  const done = install({ ...settings, AGENT_EXECUTABLE: "given" });
  expect(done).toMatchObject({ status: 0, stderr: "", settings: { BOX_NAME: "home" } });
  expect(readFileSync(runtimeFile(), "utf8")).toBe(readFileSync(at("given"), "utf8"));
  const start =
    "/usr/local/lib/ollama-edge-agent/ollama-edge-agent /usr/local/lib/ollama-edge-agent/agent.mjs";
  expect(readFileSync(startFile(), "utf8")).toBe(`[Service]\nExecStart=\nExecStart=${start}\n`);
  expect(readFileSync(commandFile(), "utf8")).toContain(`exec ${start} "$@"`);
  // Run again, e.g. to update agent.mjs.
  expect(install({}).status).toBe(0);
  expect(existsSync(startFile())).toBe(true);
  rmSync(runtimeFile());
  rmSync(at("bin/node"));
  expect(install({}).status).toBe(0);
  expect(existsSync(startFile())).toBe(false);
});

test("names an AGENT_EXECUTABLE that cannot be run", () => {
  const done = install({ EDGE_URL, BOX_SECRET: SECRET, AGENT_EXECUTABLE: "missing" });
  expect(done.stderr).toContain("AGENT_EXECUTABLE is not an executable file: missing");
  expect(isInstalled()).toBe(false);
});

test.each([
  ["its arguments", [EDGE_URL, CODE], ""],
  ["its input", [EDGE_URL], `${CODE}\n`],
])("joins with a code from %s, and passes it on through a pipe", (_, args, input) => {
  const done = install({ BOX_NAME: "home" }, args, input);
  expect(done.status, done.stderr).toBe(0);
  expect(done.settings).toMatchObject({ EDGE_URL, BOX_NAME: "home" });
  expect(done.settings.BOX_SECRET).toBeUndefined();
  expect(readFileSync(stateFile("membership.json"), "utf8")).toBe(
    `join ${EDGE_URL} --exit with ${CODE}\n`,
  );
  for (const name of ["membership.json", "box-key.pem"])
    expect(statSync(stateFile(name)).mode & 0o777).toBe(0o600);
  expect(readFileSync(envFile(), "utf8")).not.toContain(CODE);
  expect(calls()).not.toContain(CODE);
  expect(calls()).toMatch(/systemctl restart ollama-edge-agent\.service/);
  // Updates keep the membership.
  expect(install({}).status).toBe(0);
  expect(readFileSync(stateFile("box-key.pem"), "utf8")).toBe("key");
});

test("installs nothing if the edge refuses the code", () => {
  const done = install({}, ["https://refusing.example", CODE]);
  expect(done.status).toBe(1);
  expect(done.stderr).toContain("this machine did not join, so nothing was installed");
  expect(isInstalled()).toBe(false);
});

test("keeps the settings file when it runs again", () => {
  const kept = `# mine\nEDGE_URL="${EDGE_URL}"\nBOX_SECRET='${SECRET}'\nSIMULATED=1\n\nBOX_NAME=b`;
  writeFileSync(envFile(), kept);
  const done = install({ NODE_OPTIONS: "" });
  expect(done).toMatchObject({ status: 0, settings: { EDGE_URL, BOX_SECRET: SECRET } });
  expect(readFileSync(envFile(), "utf8")).toBe(kept);
});

test.each([
  "BOX_NAME=b; touch ran",
  "BOX_NAME=$(touch ran)",
  "BOX_NAME=`touch ran`",
  "BOX_NAME=b\ntouch ran",
  "touch ran",
  "BOX_NAME=a\\nb",
  'BOX_NAME="a"b"',
  "NODE_OPTIONS=--require=./evil.cjs",
  "PATH=/evil",
  "x[$(touch ran)]=1",
])("runs nothing that stands in the settings file: %j", (line) => {
  writeFileSync(envFile(), `EDGE_URL=${EDGE_URL}\n${line}\n`);
  const done = install({});
  expect(existsSync(at("ran"))).toBe(false);
  expect(done.status).toBe(1);
  expect(done.stderr).toMatch(/^install\.sh: (BOX_NAME has a character|line 2 of|line 3 of)/);
  expect(isInstalled()).toBe(false);
});

test("accepts every variable of the agent in the settings file", () => {
  const names = [...Object.keys(AgentVariables.shape), "LOG_FORMAT"];
  const lines = names.map((name) => (name === "EDGE_URL" ? `EDGE_URL=${EDGE_URL}` : `${name}=1`));
  writeFileSync(envFile(), `${lines.join("\n")}\n`);
  expect(install({ OLLAMA_NUM_PARALLEL: "7" })).toMatchObject({ status: 0, stderr: "" });
});

test("takes a value with ; as text", () => {
  writeFileSync(envFile(), `EDGE_URL=${EDGE_URL}\nBOX_SECRET=a;touch$IFS"ran"\n`);
  expect(install({}).status).toBe(1);
  writeFileSync(envFile(), `EDGE_URL=${EDGE_URL}\nBOX_SECRET=a;touch\${IFS}ran\n`);
  expect(install({})).toMatchObject({
    status: 0,
    settings: { BOX_SECRET: `a;touch\${IFS}ran` },
  });
  expect(existsSync(at("ran"))).toBe(false);
});

test.each([
  "http://edge.example",
  "http://127.evil.example",
  "http://localhost.evil.example",
  "http://localhost@evil.example",
  "ftp://edge.example",
  "edge.example",
])("downloads nothing from %s", (edge) => {
  const done = install({ EDGE_URL: edge, BOX_SECRET: SECRET });
  expect(done.status).toBe(1);
  expect(done.stderr).toMatch(/EDGE_URL must begin with https:\/\//);
  expect(calls()).not.toMatch(/curl/);
  expect(existsSync(envFile())).toBe(false);
});

test.each(["http://127.0.0.1:8000", "http://localhost:8000/", "http://[::1]:8000"])(
  "accepts the edge %s on the same machine",
  (edge) => expect(install({ EDGE_URL: edge, BOX_SECRET: SECRET }).status).toBe(0),
);

test.each(["agent.mjs", "ollama-edge-agent.service"])(
  "refuses a %s that is not the one it was built with",
  (file) => {
    writeFileSync(at("served", file), `${readFileSync(at("served", file), "utf8")}\n# changed`);
    const done = install({ EDGE_URL, BOX_SECRET: SECRET });
    expect(done).toMatchObject({ status: 1, settings: null });
    expect(done.stderr).toContain(`/agent/${file} is not the file that this script belongs to`);
    expect(isInstalled()).toBe(false);
  },
);

test("changes nothing if the check fails", () => {
  writeFileSync(envFile(), "EDGE_URL=https://old.example\n");
  expect(install({ EDGE_URL, BOX_NAME: "broken", BOX_SECRET: SECRET }).status).toBe(1);
  expect(readFileSync(envFile(), "utf8")).toBe("EDGE_URL=https://old.example\n");
  expect(isInstalled()).toBe(false);
});

test.each([
  [{}, "EDGE_URL is not set"],
  [{ EDGE_URL }, "BOX_SECRET is not set"],
  [{ EDGE_URL, BOX_SECRET: 'a"b' }, "BOX_SECRET has a character that is not allowed"],
  [{ EDGE_URL, BOX_SECRET: "a\nBOX_NAME=evil" }, "BOX_SECRET has a character"],
])("with %j, names the setting that is missing or wrong", (environment, message) => {
  const done = install(environment);
  expect(done.status).toBe(1);
  expect(done.stderr).toContain(`install.sh: ${message}`);
});

test("refuses to run from the source, which has no digests", () => {
  writeFileSync(at("install.sh"), SOURCE);
  const env = { PATH: `${at("bin")}:${process.env.PATH}`, DESTDIR: at("root") };
  const { stderr } = spawnSync("sh", [at("install.sh")], {
    encoding: "utf8",
    env,
  });
  expect(stderr).toMatch(/run the one that your Worker serves/);
});
