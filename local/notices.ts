/**
 * Third-party notices: the licence texts of the packages that a bundle contains.
 *
 * Every licence in use requires that its text stays with copies of the code, and a bundle is a copy.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as z from "zod";

const Manifest = z.object({ version: z.string(), license: z.string() });

const LICENCE_FILE = /^(licen[cs]e|notice)/i;

/**
 * Longest name of a package comes last in a path: `a/node_modules/@scope/b/index.js` is of
 * `@scope/b`.
 */
const PACKAGE_FOLDER = /^(?:.*\/)?node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/**
 * The names of the packages that these files belong to, sorted. The project's own files have none.
 * @param files  paths as a bundler lists its inputs
 */
export function packagesOf(files: Iterable<string>): string[] {
  const names = Array.from(files, (file) => PACKAGE_FOLDER.exec(file.replaceAll("\\", "/"))?.[1]);
  return [...new Set(names.filter((name) => name !== undefined))].sort();
}

/**
 * The notices of these packages as one text.
 * @throws if a package ships without a licence file, as its notice cannot be made then
 */
export function noticesOf(root: string, packages: readonly string[]): string {
  const sections = packages.map((name) => {
    const folder = join(root, "node_modules", name);
    const { version, license } = Manifest.parse(
      JSON.parse(readFileSync(join(folder, "package.json"), "utf8")),
    );
    const files = readdirSync(folder).filter((file) => LICENCE_FILE.test(file));
    if (files.length === 0) throw new Error(`The package ${name} has no licence file.`);
    const texts = files.map((file) => readFileSync(join(folder, file), "utf8").trim());
    return [`${name} ${version} (${license})`, ...texts].join("\n\n");
  });
  const rule = `\n\n${"-".repeat(80)}\n\n`;
  return `This software contains the following packages.${rule}${sections.join(rule)}\n`;
}

/** The notices as a JavaScript comment, for a file that is copied alone. */
export const commentOf = (notices: string): string => `/*!\n${notices.replaceAll("*/", "* /")}*/\n`;
