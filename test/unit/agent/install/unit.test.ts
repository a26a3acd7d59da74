/** The systemd unit of the agent. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";

const FILE = "agent/install/ollama-edge-agent.service";
const unit = readFileSync(FILE, "utf8");

test.each([
  "DynamicUser=yes",
  "NoNewPrivileges=yes",
  "CapabilityBoundingSet=",
  "ProtectSystem=strict",
  "ProtectHome=yes",
  "ProtectProc=invisible",
  "DevicePolicy=closed",
  "DeviceAllow=char-nvidia* rw",
  "SystemCallFilter=@system-service",
  "SystemCallFilter=~@privileged @resources",
  "SystemCallErrorNumber=EPERM",
])("the unit has %s", (line) => expect(unit.split("\n")).toContain(line));

const security = spawnSync("systemd-analyze", ["security", "--offline=true", FILE], {
  encoding: "utf8",
});

test.runIf(security.status === 0)(
  "the unit is exposed to at most 2.0 by systemd's own measure",
  () => {
    const [, level] = /Overall exposure level for \S+: ([\d.]+)/.exec(security.stdout) ?? [];
    expect(Number(level)).toBeLessThanOrEqual(2);
  },
);
