import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { hasNvidiaGpu, isPassedThrough } from "../../../../../agent/readings/nvidia/presence.ts";

/** A PCI device: vendor, class, and the driver that it is bound to. */
const pci = (vendor: string, kind?: string, driver?: string, slot = "01") => {
  const device = `sys/bus/pci/devices/0000:${slot}:00.0`;
  return {
    [`${device}/vendor`]: `${vendor}\n`,
    ...(kind !== undefined && { [`${device}/class`]: `${kind}\n` }),
    ...(driver !== undefined && { [`${device}/driver`]: `->../../../bus/pci/drivers/${driver}` }),
  };
};

const NVIDIA = "0x10de";
const AMD = "0x1002";
const DISPLAY = "0x030000";
const AUDIO = "0x040300";

const MACHINES: [name: string, files: Record<string, string>, found: boolean | null][] = [
  ["a PCI device of NVIDIA", pci(NVIDIA), true],
  ["a GPU that its driver has", pci(NVIDIA, DISPLAY, "nvidia"), true],
  ["a GPU without a driver", pci(NVIDIA, DISPLAY), true],
  ["an accelerator without a display", pci(NVIDIA, "0x120000", "nvidia"), true],
  ["only a PCI device of AMD", pci(AMD), false],
  ["only the sound of an NVIDIA card", pci(NVIDIA, AUDIO, "snd_hda_intel"), false],
  ["a GPU that a virtual machine has", pci(NVIDIA, DISPLAY, "vfio-pci"), false],
  [
    "a GPU that a virtual machine has, and the driver",
    { ...pci(NVIDIA, DISPLAY, "vfio-pci"), "dev/nvidiactl": "", "proc/driver/nvidia/version": "" },
    false,
  ],
  [
    "two GPUs, of which a virtual machine has one",
    { ...pci(NVIDIA, DISPLAY, "vfio-pci"), ...pci(NVIDIA, DISPLAY, "nvidia", "02") },
    true,
  ],
  ["a device file of a GPU", { ...pci(AMD), "dev/nvidia1": "" }, true],
  ["only the driver, beside a GPU of AMD", { ...pci(AMD), "dev/nvidiactl": "" }, false],
  ["the driver in a container that shows no PCI device", { "dev/nvidiactl": "" }, true],
  ["the GPU of WSL2", { "dev/dxg": "" }, true],
  ["the device tree of a Jetson", { "proc/device-tree/compatible": "nvidia,tegra234" }, true],
  ["no list of PCI devices", {}, null],
];

test.each(MACHINES)("decides about an NVIDIA GPU by %s", (_name, files, found) => {
  expect(on(files, (root) => hasNvidiaGpu("linux", root))).toBe(found);
});

test.each([
  ["with one GPU", pci(NVIDIA, DISPLAY, "vfio-pci"), true],
  [
    "with one of two",
    { ...pci(NVIDIA, DISPLAY, "vfio-pci"), ...pci(NVIDIA, DISPLAY, "nvidia", "02") },
    false,
  ],
  ["without a GPU on the bus", pci(AMD, DISPLAY, "vfio-pci"), false],
  ["with a GPU that its driver has", pci(NVIDIA, DISPLAY, "nvidia"), false],
  ["with nothing", {}, false],
])("finds out whether all GPUs are passed through %s", (_name, files, found) => {
  expect(on(files, isPassedThrough)).toBe(found);
});

/** Runs on a machine with these files. */
function on<T>(files: Record<string, string>, run: (root: string) => T): T {
  const root = mkdtempSync(join(tmpdir(), "machine-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (text.startsWith("->")) symlinkSync(text.slice(2), join(root, path));
    else writeFileSync(join(root, path), text);
  }
  const result = run(root);
  rmSync(root, { recursive: true });
  return result;
}

test("knows that a Mac has no NVIDIA GPU, and nothing about Windows", () => {
  expect(hasNvidiaGpu("darwin")).toBe(false);
  expect(hasNvidiaGpu("win32")).toBeNull();
});
