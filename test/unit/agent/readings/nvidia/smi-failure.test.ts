import { expect, test } from "vitest";
import { gpuFailure, refusedField } from "../../../../../agent/readings/nvidia/smi-failure.ts";

const FAILURES: [output: string, code: number, reason: RegExp, permanent: boolean][] = [
  [
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
    9,
    /load the driver/,
    true,
  ],
  [
    "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.161",
    18,
    /mismatch \(library 535.161\): reboot, or reload/,
    true,
  ],
  [
    "Failed to initialize NVML: No supported GPUs were found\nUnable to determine the number of GPUs",
    255,
    /no supported GPU/,
    true,
  ],
  ["Failed to initialize NVML: Unknown Error", 255, /restart the container/, true],
  ["Failed to initialize NVML: Insufficient Permissions", 4, /give this user/, true],
  ["No devices were found", 6, /no NVIDIA GPU/, true],
  [
    "Unable to determine the device handle for GPU 0000:0B:00.0: Unknown Error",
    15,
    /GPU 0000:0B:00.0 .*Unknown Error.*bus/,
    true,
  ],
  ["sh: 1: nvidia-smi: not found", 127, /not found.*install/, true],
  ["\n\nsomething new\nmore", 3, /^nvidia-smi ended \(exit code 3\): something new$/, false],
  ["", 0, /^nvidia-smi ended \(exit code 0\)$/, false],
];

test.each(FAILURES)(
  "explains the output %j with exit code %i",
  (output, code, reason, permanent) => {
    const failure = gpuFailure({ output, code, signal: null, spawnError: null });
    expect(failure.reason).toMatch(reason);
    expect(failure.reason).not.toContain("\n");
    expect(failure.permanent).toBe(permanent);
  },
);

test("explains a failed start and a signal, within the size limit of a state", () => {
  const end = { output: "", code: null, signal: null, spawnError: null };
  expect(gpuFailure({ ...end, spawnError: "ENOENT" })).toMatchObject({
    reason: expect.stringContaining("not found"),
    permanent: true,
  });
  expect(gpuFailure({ ...end, spawnError: "ENOENT" }, true).reason).toMatch(/install the NVIDIA/);
  expect(gpuFailure({ ...end, spawnError: "ENOENT" }, false)).toEqual({
    reason: "nvidia-smi was not found, and this machine has no NVIDIA GPU",
    permanent: true,
    isFault: false,
  });
  expect(gpuFailure({ ...end, spawnError: "EACCES" }).reason).toBe(
    "nvidia-smi could not be started (EACCES)",
  );
  expect(gpuFailure({ ...end, signal: "SIGTERM" }).reason).toBe("nvidia-smi ended (SIGTERM)");
  expect(
    gpuFailure({ ...end, output: "x".repeat(9_999), code: 1 }).reason.length,
  ).toBeLessThanOrEqual(500);
});

test("finds the field that a driver refuses", () => {
  expect(refusedField('Field "device_minor" is not a valid field to query.\n\n')).toBe(
    "device_minor",
  );
  expect(refusedField("No devices were found")).toBeNull();
});

test.each([
  ["a driver that is missing", "couldn't communicate with the NVIDIA driver", true, true],
  [
    "a driver that is missing without a GPU",
    "couldn't communicate with the NVIDIA driver",
    false,
    false,
  ],
  ["a driver mismatch, which shows one", "Driver/library version mismatch", null, true],
  [
    "a lost GPU, which the system may list no more",
    "Unable to determine the device handle for GPU 0000:01:00.0: GPU is lost",
    false,
    true,
  ],
  ["no device on a machine that may have no GPU", "No devices were found", null, false],
  ["no device on a machine without a GPU", "No devices were found", false, false],
])("%s is a fault only on a machine with a GPU", (_name, output, hasGpu, isFault) => {
  const end = { output, code: 9, signal: null, spawnError: null };
  expect(gpuFailure(end, hasGpu).isFault).toBe(isFault);
});

test("a machine without the tool is no fault, even with a GPU", () => {
  const end = { output: "", code: null, signal: null, spawnError: "ENOENT" };
  expect(gpuFailure(end, true).isFault).toBe(false);
});
