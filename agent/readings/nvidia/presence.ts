/** Finds out whether this machine has an NVIDIA GPU at all, without its driver. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const PCI_VENDOR = "0x10de";

/** Files that exist with the driver, in a container with a GPU, and in WSL2. */
const DEVICES = ["dev/nvidiactl", "dev/nvidia0", "dev/dxg", "proc/driver/nvidia/version"];
/** The GPU of a Jetson is not a PCI device. */
const DEVICE_TREE = "proc/device-tree/compatible";

/**
 * Returns false only if the machine certainly has none; null if it cannot be known.
 * @param root  the root of the file system; another one in tests
 */
export function hasNvidiaGpu(
  platform: NodeJS.Platform = process.platform,
  root = "/",
): boolean | null {
  if (platform === "darwin") return false; // Ollama runs only on newer Macs
  if (platform !== "linux") return null;
  if (DEVICES.some((path) => existsSync(join(root, path)))) return true;
  if (textOf(join(root, DEVICE_TREE)).includes("nvidia")) return true;
  const devices = join(root, "sys/bus/pci/devices");
  let names: string[];
  try {
    names = readdirSync(devices);
  } catch {
    return null;
  }
  return names.some((name) => textOf(join(devices, name, "vendor")).trim() === PCI_VENDOR);
}

/** The PCI class of displays and of compute accelerators: 0x03 and 0x12 in its highest byte. */
const GPU_CLASS = /^0x(?:03|12)/;

/** Returns the PCI vendors of the machine's GPUs; empty if they cannot be listed. */
export function pciVendors(root = "/"): Set<string> {
  const devices = join(root, "sys/bus/pci/devices");
  try {
    return new Set(
      readdirSync(devices)
        .filter((name) => GPU_CLASS.test(textOf(join(devices, name, "class"))))
        .map((name) => textOf(join(devices, name, "vendor")).trim()),
    );
  } catch {
    return new Set();
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
