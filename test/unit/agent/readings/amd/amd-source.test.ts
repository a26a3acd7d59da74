import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { AmdSource } from "../../../../../agent/readings/amd/amd-source.ts";
import { readAmdGpus } from "../../../../../agent/readings/amd/sysfs.ts";
import type { PowerReading } from "../../../../../agent/readings/gpu-source.ts";
import { gpuVendorOf } from "../../../../../agent/readings/pick-gpu-source.ts";
import { temporaryFolder } from "../../../../support/temporary.ts";
import { waitFor } from "../../../../support/wait-for.ts";

/** The files and units that the kernel documents for amdgpu: docs.kernel.org/gpu/amdgpu/thermal.html */
const FILES = {
  vendor: "0x1002\n",
  device: "0x744c\n",
  unique_id: "8b6f0c2e4d1a9f37\n",
  gpu_busy_percent: "37\n",
  mem_info_vram_total: "25753026560\n",
  mem_info_vram_used: "794341376\n",
  "power/runtime_status": "active\n",
  "hwmon/hwmon4/power1_average": "19000000\n",
  "hwmon/hwmon4/power1_cap": "339000000\n",
  "hwmon/hwmon4/temp1_input": "49000\n",
  "hwmon/hwmon4/freq1_input": "2482000000\n",
  "hwmon/hwmon4/pwm1": "51\n",
};
type Files = Record<string, string | null>;

function machine(cards: Record<string, Files>): string {
  const root = temporaryFolder("amd-");
  for (const [card, more] of Object.entries(cards))
    for (const [file, text] of Object.entries({ ...FILES, ...more })) {
      if (text === null) continue;
      const path = join(root, "sys/class/drm", card, "device", file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    }
  mkdirSync(join(root, "sys/bus/pci/devices"), { recursive: true });
  return root;
}

test("reads a GPU from the files of its driver", () => {
  const [gpu] = readAmdGpus(machine({ card1: {} }));
  expect(gpu).toMatchObject({
    powerKind: "mean",
    report: {
      index: 0,
      uuid: "8b6f0c2e4d1a9f37",
      name: "AMD GPU 744c",
      utilization_percent: 37,
      memory_total_mb: 24_560,
      memory_used_mb: 757.543,
      temperature_c: 49,
      power_draw_w: 19,
      power_limit_w: 339,
      sm_clock_mhz: 2_482,
      fan_percent: 20,
    },
  });
});

test("prefers the power of this moment, and the name of the board", () => {
  const files = { "hwmon/hwmon4/power1_input": "21500000\n", product_name: "AMD Instinct MI210\n" };
  expect(readAmdGpus(machine({ card0: files }))).toMatchObject([
    { powerKind: "instant", report: { power_draw_w: 21.5, name: "AMD Instinct MI210" } },
  ]);
});

test.each(Object.keys(FILES).filter((file) => file !== "vendor"))(
  "survives a missing %s",
  (file) => {
    const [gpu] = readAmdGpus(machine({ card0: { [file]: null } }));
    expect(gpu?.report.index).toBe(0);
  },
);

test("numbers GPUs in order of their cards, and leaves out those of other vendors and connectors", () => {
  const root = machine({
    card10: { device: "0x2\n" },
    card2: { device: "0x1\n" },
    card0: { vendor: "0x8086\n" },
    "card2-DP-1": {},
  });
  expect(readAmdGpus(root).map(({ report }) => [report.index, report.name])).toEqual([
    [0, "AMD GPU 1"],
    [1, "AMD GPU 2"],
  ]);
});

test("does not wake a GPU that the kernel has put to sleep", () => {
  const root = machine({ card0: { "power/runtime_status": "suspended\n" } });
  expect(readAmdGpus(root)[0]?.report).toMatchObject({
    utilization_percent: 0,
    power_draw_w: null,
    temperature_c: null,
  });
});

test("reads power ten times a second while it is needed, and reports a GPU that vanishes as lost", async () => {
  const root = machine({ card0: { "hwmon/hwmon4/power1_input": "21500000\n" } });
  const power: PowerReading[] = [];
  const source = new AmdSource(
    {
      box: "b",
      intervalSeconds: 1,
      now: Date.now,
      log: () => {},
      onPower: (reading) => power.push(reading),
    },
    root,
  );
  source.start();
  source.needPower(true);
  await waitFor(() => expect(power.length).toBeGreaterThan(12));
  source.needPower(false);
  expect(power[0]).toMatchObject({ gpuIndex: 0, watts: 21.5, kind: "instant" });
  expect(source.take()).toMatchObject({ available: true, failed: false });
  rmSync(join(root, "sys/class/drm/card0"), { recursive: true });
  await waitFor(() => expect(source.take()).toMatchObject({ available: false, failed: true }));
  await source.stop();
});

test.each([
  ["a Mac", "darwin", {}, "apple"],
  ["an AMD GPU with a driver", "linux", { card0: {} }, "amd"],
  ["no GPU", "linux", {}, "nvidia"],
] as const)("picks the source of a machine with %s", (_name, platform, cards, vendor) => {
  expect(gpuVendorOf({ nvidiaSmi: "nvidia-smi" }, platform, machine(cards))).toBe(vendor);
});

test.each([
  ["0x10de", "0x030000", "nvidia"],
  ["0x1002", "0x038000", "amd tools"],
  ["0x8086", "0x120000", "intel"],
  ["0x8086", "0x020000", "nvidia"],
] as const)(
  "picks the source of a machine with a PCI device of %s and class %s",
  (id, kind, vendor) => {
    const root = machine({});
    const device = join(root, "sys/bus/pci/devices/0000:01:00.0");
    mkdirSync(device, { recursive: true });
    writeFileSync(join(device, "vendor"), `${id}\n`);
    writeFileSync(join(device, "class"), `${kind}\n`);
    expect(gpuVendorOf({ nvidiaSmi: "nvidia-smi" }, "linux", root)).toBe(vendor);
    expect(gpuVendorOf({ nvidiaSmi: "/opt/nvidia-smi" }, "linux", root)).toBe("nvidia");
  },
);
