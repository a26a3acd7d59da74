import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { hasNvidiaGpu } from "../../../../../agent/readings/nvidia/presence.ts";

const PCI = "sys/bus/pci/devices/0000:01:00.0/vendor";
const MACHINES: [name: string, files: Record<string, string>, found: boolean | null][] = [
  ["a PCI device of NVIDIA", { [PCI]: "0x10de\n" }, true],
  ["only a PCI device of AMD", { [PCI]: "0x1002\n" }, false],
  ["a device file of its driver", { [PCI]: "0x1002\n", "dev/nvidiactl": "" }, true],
  ["the GPU of WSL2", { "dev/dxg": "" }, true],
  ["the device tree of a Jetson", { "proc/device-tree/compatible": "nvidia,tegra234" }, true],
  ["no list of PCI devices", {}, null],
];

test.each(MACHINES)("decides about an NVIDIA GPU by %s", (_name, files, found) => {
  const root = mkdtempSync(join(tmpdir(), "machine-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  expect(hasNvidiaGpu("linux", root)).toBe(found);
  rmSync(root, { recursive: true });
});

test("knows that a Mac has no NVIDIA GPU, and nothing about Windows", () => {
  expect(hasNvidiaGpu("darwin")).toBe(false);
  expect(hasNvidiaGpu("win32")).toBeNull();
});
