import { expect, test } from "vitest";
import { parseComputeApp } from "../../../../../agent/readings/nvidia/compute-apps.ts";

/** Recorded forms: an RTX 2080, an H100, and the placeholders of a container and of Windows. */
test.each([
  [
    "GPU-00000000-0000-0000-0000-000000000000, 5268, 370, ffmpeg",
    { pid: 5_268, usedMb: 370, name: "ffmpeg" },
  ],
  [
    "GPU-00000000-0000-0000-0000-000000000000, 11327, 2566 MiB, /root/tools/memhog",
    { pid: 11_327, usedMb: 2_566, name: "/root/tools/memhog" },
  ],
  ["GPU-1a, 42, [N/A], [Not Found]", { pid: 42, usedMb: null, name: "[Not Found]" }],
  ["GPU-1a, 42, [N/A], C:\\a, b\\ollama.exe", { usedMb: null, name: "C:\\a, b\\ollama.exe" }],
])("reads %j", (line, expected) => {
  expect(parseComputeApp(line)).toMatchObject(expected);
});

test.each(["", "No running processes found", "GPU-1a, x, 1, y", "0, 5268, 370, ffmpeg"])(
  "ignores %j",
  (line) => {
    expect(parseComputeApp(line)).toBeNull();
  },
);
