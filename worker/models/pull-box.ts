/** Chooses the box that pulls a model, if its caller names none. Pure. */

import { withTag } from "../../protocol/inventory.ts";
import { bytesOfSize, fits, VRAM_PER_DOWNLOAD } from "../../protocol/model-memory.ts";
import { freshGpus, freshSystem, isInstalledOn, type RegisteredBox } from "../registered-box.ts";
import { familyOf } from "./catalogue.ts";

const MIB = 1_024 ** 2;

/**
 * A box that has the model pulls its newest build. Otherwise the boxes come first whose disk has room
 * for it, then those whose GPUs have, and then the one where the client's other operations are.
 * @param homeOf  returns the box of several where the operations of this client are
 * @param nowMs   unix ms
 * @returns       null if no box is up
 */
export function pullBox(
  boxes: readonly RegisteredBox[],
  model: string,
  homeOf: (names: readonly string[]) => string | null,
  nowMs: number,
): string | null {
  const up = boxes.filter(({ state }) => state === "up");
  const reachable = up.filter(({ readings }) => readings?.inventory.reachable !== false);
  const able = reachable.length > 0 ? reachable : up;
  const holders = able.filter((box) => isInstalledOn(box, model));
  if (holders.length > 0) return homeOf(namesOf(holders));
  const bytes = sizeOf(model, boxes);
  const roomy = preferred(able, (box) => fits(bytes, freeDiskOf(box, nowMs)));
  const fitting = preferred(roomy, (box) => fits(bytes, vramOf(box, nowMs), VRAM_PER_DOWNLOAD));
  return homeOf(namesOf(fitting));
}

/** Returns the boxes that fit, or may; all of them if none does. */
function preferred(
  boxes: readonly RegisteredBox[],
  hasRoom: (box: RegisteredBox) => boolean | null,
): readonly RegisteredBox[] {
  const able = boxes.filter((box) => hasRoom(box) !== false);
  return able.length > 0 ? able : boxes;
}

/** Returns the size of a download: as another box has it, or as the library states it. */
function sizeOf(model: string, boxes: readonly RegisteredBox[]): number | null {
  const tagged = withTag(model);
  const sizes = boxes.flatMap(({ readings }) =>
    (readings?.inventory.models ?? []).flatMap(({ name, size_bytes }) =>
      withTag(name) === tagged && size_bytes !== null ? [size_bytes] : [],
    ),
  );
  if (sizes.length > 0) return Math.max(...sizes);
  const family = tagged.endsWith(":latest") ? familyOf(model) : null;
  return bytesOfSize(family?.size ?? null);
}

function freeDiskOf(box: RegisteredBox, nowMs: number): number | null {
  const { disk_total_bytes: total = null, disk_used_bytes: used = null } =
    freshSystem(box, nowMs) ?? {};
  return total === null || used === null ? null : Math.max(0, total - used);
}

function vramOf(box: RegisteredBox, nowMs: number): number | null {
  const totals = freshGpus(box, nowMs).map(({ memory_total_mb }) => memory_total_mb);
  if (totals.length === 0 || totals.includes(null)) return null;
  return totals.reduce<number>((sum, mb) => sum + (mb ?? 0), 0) * MIB;
}

const namesOf = (boxes: readonly RegisteredBox[]): string[] => boxes.map(({ name }) => name);
