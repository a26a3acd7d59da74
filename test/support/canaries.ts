/**
 * Canaries: texts that occur nowhere else, and a search for them in files, in every form in which a
 * program may have written them.
 */
import { randomBytes } from "node:crypto";
import { lstatSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { setImmediate } from "node:timers/promises";
import { constants, gunzipSync, inflateSync, zstdDecompressSync } from "node:zlib";

/** The bytes of a text in each encoding. Base64 has three, one for each offset within its groups. */
function formsOf(text: string): [name: string, bytes: Buffer][] {
  const bytes = Buffer.from(text);
  const utf16 = Buffer.from(text, "utf16le");
  const base64 = [0, 1, 2].map((offset): [string, Buffer] => {
    const padded = Buffer.concat([Buffer.alloc(offset), bytes]).toString("base64");
    // The characters at both ends also depend on the bytes around the text.
    return [`base64 at ${offset}`, Buffer.from(padded.slice(offset === 0 ? 0 : 4, -4))];
  });
  return [
    ["UTF-16LE", utf16],
    ["UTF-16BE", Buffer.from(utf16).swap16()],
    ["hex", Buffer.from(bytes.toString("hex"))],
    ["upper-case hex", Buffer.from(bytes.toString("hex").toUpperCase())],
    ["escaped JSON", Buffer.from([...text].map(escaped).join(""))],
    ...base64,
  ];
}

const escaped = (letter: string): string =>
  `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`;

const COMPRESSED: [name: string, magic: Buffer, unpack: (bytes: Buffer) => Buffer][] = [
  ["gzip", Buffer.from([0x1f, 0x8b, 0x08]), (bytes) => gunzipSync(bytes, UNFINISHED)],
  ["zlib", Buffer.from([0x78, 0x9c]), (bytes) => inflateSync(bytes, UNFINISHED)],
  ["zstd", Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), (bytes) => zstdDecompressSync(bytes)],
];
const UNFINISHED = { finishFlush: constants.Z_SYNC_FLUSH };

export class Canaries {
  /** The beginning of every canary. Only letters and digits: JSON and SQL write these as they are. */
  readonly #mark = `canary${randomBytes(8).toString("hex")}n`;
  readonly #names: string[] = [];

  /** Returns a new canary. The name describes its place in a call. */
  of(name: string): string {
    this.#names.push(name);
    return `${this.#mark}${this.#names.length - 1}n`;
  }

  get count(): number {
    return this.#names.length;
  }

  /** Returns where the bytes contain canaries, also encoded or compressed: `prompt 3`. */
  in(bytes: Buffer): string[] {
    const found = this.#namesIn(bytes);
    for (const [form, pattern] of formsOf(this.#mark))
      if (bytes.includes(pattern)) found.push(`a canary as ${form}`);
    for (const [format, magic, unpack] of COMPRESSED)
      for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
        const unpacked = unpackedOf(bytes.subarray(at), unpack);
        if (unpacked !== null)
          found.push(...this.in(unpacked).map((where) => `${where} in ${format}`));
      }
    return found;
  }

  #namesIn(bytes: Buffer): string[] {
    const names = new Set<string>();
    for (let at = bytes.indexOf(this.#mark); at >= 0; at = bytes.indexOf(this.#mark, at + 1)) {
      const from = at + this.#mark.length;
      const number = Number.parseInt(bytes.toString("latin1", from, from + 5), 10);
      names.add(`${this.#names[number] ?? "a piece"} ${number}`);
    }
    return [...names];
  }

  /** Returns where the files of a folder, and their names, contain canaries. */
  async inFolder(
    folder: string,
    isSearched: (path: string) => boolean = () => true,
  ): Promise<string[]> {
    const found: string[] = [];
    for (const path of filesOf(folder)) {
      if (!isSearched(path)) continue;
      const name = relative(folder, path);
      for (const where of [...this.in(Buffer.from(name)), ...this.in(contentOf(path))])
        found.push(`${name}: ${where}`);
      // A search takes seconds, in which this process must notice connections that a server closes.
      await setImmediate();
    }
    return found;
  }
}

/** Null if the bytes only look compressed. */
function unpackedOf(bytes: Buffer, unpack: (bytes: Buffer) => Buffer): Buffer | null {
  try {
    return unpack(bytes);
  } catch {
    return null;
  }
}

/** A file may be deleted while the folder is read. */
function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

function filesOf(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = lstatSync(path, { throwIfNoEntry: false });
    return stat?.isDirectory() ? filesOf(path) : stat?.isFile() ? [path] : [];
  });
}
