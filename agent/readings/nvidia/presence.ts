/**
 * Finds out whether this machine has an NVIDIA GPU at all, without its driver.
 *
 * A GPU that is passed through to a virtual machine is not this machine's, although its driver and
 * nvidia-smi may be installed here. It is bound to a driver that only keeps others away.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";

const PCI_VENDOR = "0x10de";

/** Drivers that hold a device for a virtual machine. */
const PASSTHROUGH: ReadonlySet<string> = new Set([
  "vfio-pci",
  "pci-stub",
  "pciback",
  "xen-pciback",
]);

/** The device file of a GPU. */
const DEVICE = /^nvidia\d+$/;
/** The GPU of WSL2. */
const WSL_DEVICE = "dev/dxg";
/** Files that exist with the driver. A machine may have it without a GPU. */
const DRIVER = ["dev/nvidiactl", "proc/driver/nvidia/version"];
/** The GPU of a Jetson is not a PCI device. */
const DEVICE_TREE = "proc/device-tree/compatible";

/**
 * Returns false if the machine has none of its own; null if it cannot be known.
 * @param root  the root of the file system; another one in tests
 */
export function hasNvidiaGpu(
  platform: NodeJS.Platform = process.platform,
  root = "/",
): boolean | null {
  if (platform === "darwin") return false; // Ollama runs only on newer Macs
  if (platform !== "linux") return null;
  const devices = pciDevices(root);
  const gpus = nvidiaGpus(devices);
  if (gpus.length > 0) return gpus.some((gpu) => !gpu.isPassedThrough);
  if (namesIn(join(root, "dev")).some((name) => DEVICE.test(name))) return true;
  if (existsSync(join(root, WSL_DEVICE))) return true;
  if (textOf(join(root, DEVICE_TREE)).includes("nvidia")) return true;
  // A sandbox may show no PCI devices; otherwise the driver is there without a GPU.
  if (devices !== null && devices.length > 0) return false;
  if (DRIVER.some((path) => existsSync(join(root, path)))) return true;
  return devices === null ? null : false;
}

/**
 * Returns true if all NVIDIA GPUs of this machine are passed through to virtual machines.
 * @param root  the root of the file system; another one in tests
 */
export function isPassedThrough(root = "/"): boolean {
  const gpus = nvidiaGpus(pciDevices(root));
  return gpus.length > 0 && gpus.every((gpu) => gpu.isPassedThrough);
}

/** The PCI class of displays and of compute accelerators: 0x03 and 0x12 in its highest byte. */
const GPU_CLASS = /^0x(?:03|12)/;

/** Returns the PCI vendors of the machine's GPUs; empty if they cannot be listed. */
export const pciVendors = (root = "/"): Set<string> =>
  new Set(
    (pciDevices(root) ?? []).flatMap(({ vendor, kind }) => (GPU_CLASS.test(kind) ? [vendor] : [])),
  );

type PciDevice = { vendor: string; kind: string; isGpu: boolean; isPassedThrough: boolean };

const nvidiaGpus = (devices: readonly PciDevice[] | null): PciDevice[] =>
  devices?.filter(({ vendor, isGpu }) => vendor === PCI_VENDOR && isGpu) ?? [];

/** Returns null if they cannot be listed. */
function pciDevices(root: string): PciDevice[] | null {
  const folder = join(root, "sys/bus/pci/devices");
  try {
    return readdirSync(folder).map((name) => {
      const kind = textOf(join(folder, name, "class"));
      return {
        vendor: textOf(join(folder, name, "vendor")).trim(),
        kind,
        isGpu: kind === "" || GPU_CLASS.test(kind),
        isPassedThrough: PASSTHROUGH.has(driverOf(join(folder, name))),
      };
    });
  } catch {
    return null;
  }
}

/** Returns the name of the driver that a device is bound to; empty without one. */
function driverOf(device: string): string {
  try {
    return basename(readlinkSync(join(device, "driver")));
  } catch {
    return "";
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
