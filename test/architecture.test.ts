/**
 * The architecture: which folder may import which, and inside the three processes, which room.
 *
 * A room is a folder, or a file that stands beside the folders. `docs/architecture.md` explains the rooms;
 * this table is what holds. A new import that it lacks fails here, and so does an entry that no import uses.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOMS } from "./support/rooms.ts";

/** The top-level folders: the other folders and the packages that each may import. */
const FOLDERS: Record<string, { folders: string[]; packages: RegExp }> = {
  protocol: { folders: [], packages: /^zod$/ },
  worker: {
    folders: ["protocol"],
    packages:
      /^(zod|hono|jose|cloudflare:workers|@clickhouse\/client-web|@neondatabase\/serverless)(\/|$)/,
  },
  agent: { folders: ["protocol"], packages: /^(zod|ws|node:.*)$/ },
  dashboard: {
    folders: ["protocol"],
    packages: /^(zod|preact(\/hooks)?|@preact\/signals|marked|dompurify)$/,
  },
  simulated: { folders: ["protocol"], packages: /^(zod|node:.*)$/ },
  local: {
    folders: [
      "agent",
      "protocol",
      "simulated",
      "worker/export",
      "worker/repository",
      "worker/settings.ts",
    ],
    packages: /^(zod|node:.*)$/,
  },
  monitoring: {
    folders: ["protocol"],
    packages: /^(@grafana\/grafana-foundation-sdk\/.*|node:.*)$/,
  },
};

type Import = { file: string; target: string };

test.each(Object.entries(FOLDERS))("%s imports what it may", (folder, { folders, packages }) => {
  const imports = importsOf(folder);
  expect(imports.length).toBeGreaterThan(0);
  const refused = imports.filter(({ file, target }) =>
    target.startsWith(".")
      ? ![folder, ...folders].some((allowed) =>
          `${pathOf({ file, target })}/`.startsWith(`${allowed}/`),
        )
      : !packages.test(target),
  );
  expect(refused.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
});

describe.each(Object.entries(ROOMS))("the rooms of %s", (folder, rooms) => {
  const edges = importsOf(folder).flatMap((found) => {
    const path = pathOf(found);
    const [from, to] = [roomOf(found.file), roomOf(path)];
    return path.startsWith(`${folder}/`) && from !== to ? [{ ...found, from, to }] : [];
  });

  test("import what the table allows", () => {
    const refused = edges.filter(({ from, to }) => rooms[from]?.includes(to) !== true);
    expect(refused.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  test("use every entry of the table", () => {
    const used = new Set(edges.map(({ from, to }) => `${from} -> ${to}`));
    const listed = Object.entries(rooms).flatMap(([from, tos]) =>
      tos.map((to) => `${from} -> ${to}`),
    );
    expect(listed.filter((entry) => !used.has(entry))).toEqual([]);
  });

  test("import only rooms that stand before them in the table, so never in a circle", () => {
    const order = Object.keys(rooms);
    const upward = Object.entries(rooms).flatMap(([from, tos]) =>
      tos.filter((to) => order.indexOf(to) >= order.indexOf(from)).map((to) => `${from} -> ${to}`),
    );
    expect(upward).toEqual([]);
  });
});

test("only worker/index.ts imports a Durable Object at run time", () => {
  const importers = sourcesIn("worker").filter((file) =>
    /^(import|export) (?!type)[^;]*from "[^"]*\/(box\/box|aggregator\/aggregator|box|aggregator)\.ts"/m.test(
      readFileSync(file, "utf8"),
    ),
  );
  expect(importers).toEqual(["worker/index.ts"]);
});

test("npm start needs no package of the tests", () => {
  const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    dependencies: Record<string, string>;
  };
  const folders = Object.keys(FOLDERS).filter((folder) => folder !== "monitoring");
  const built = readFileSync("build.ts", "utf8").matchAll(/ from "([^".]+)"/g);
  const targets = [
    ...folders.flatMap(importsOf).map(({ target }) => target),
    ...Array.from(built, ([, target = ""]) => target),
  ];
  const packages = targets.flatMap(
    (target) => /^(?!\.|node:|cloudflare:)(@[^/]+\/)?[^/]+/.exec(target)?.[0] ?? [],
  );
  expect(packages).toEqual(expect.arrayContaining(["esbuild", "hono", "zod"]));
  expect([...new Set(packages)].filter((name) => !(name in dependencies))).toEqual([]);
});

/** The imports of a folder's files; the target as it is written. */
function importsOf(folder: string): Import[] {
  return sourcesIn(folder).flatMap((file) => {
    const source = readFileSync(file, "utf8");
    const found = source.matchAll(
      /^(?:import|export)\b[^"';]*? from "([^"]+)"|^import "([^"]+)"|\bimport\("([^"]+)"\)/gm,
    );
    return Array.from(found, ([, ...targets]) => ({
      file,
      target: targets.find((target) => target !== undefined) ?? "",
    }));
  });
}

const pathOf = ({ file, target }: Import): string =>
  target.startsWith(".") ? posix.join(posix.dirname(file), target) : target;

/** `worker/gateway/call.ts` is in the room `gateway`, `worker/errors.ts` in the room `errors`. */
function roomOf(path: string): string {
  const [, room = ""] = path.split("/");
  return room.replace(/\.tsx?$/, "");
}

function sourcesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return names.filter((name) => /\.tsx?$/.test(name)).map((name) => posix.join(folder, name));
}
