/** The places in a JSON body that the reader of a scan watches. Pure. */
import { type KeyTable, keyTable } from "./json-keys.ts";

/** A place in bodies, and what the reader `R` takes from it. */
export type JsonPlace<R> = {
  /** The members of an object here. */
  fields?: JsonFields<R>;
  /** The arrays and objects in an array here. */
  items?: JsonPlace<R>;
  /** The strings in an array here. */
  texts?: TextReader<R>;
  /**
   * Takes each value here once it has ended, after the values inside it.
   * @param chars  UTF-16 code units of a string; 0 for another value
   */
  found?: (into: R, from: number, to: number, chars: number) => void;
};

export type TextReader<R> = {
  /** @returns whether to take the next text of the array as well */
  take: (into: R, from: number, to: number, chars: number) => boolean;
  /** Takes the length of the rest: of each text, and 1 for what joins it to the one before. */
  skip: (into: R, chars: number) => void;
};

export type JsonMember<R> = {
  name: string;
  index: number;
  isGuarded: boolean;
  place: JsonPlace<R>;
};

export type JsonFields<R> = KeyTable<JsonMember<R>>;

/**
 * @param places   by names in lower case and ASCII, as Ollama documents them
 * @param guarded  names that may occur once, in any spelling; of the others the last one counts
 */
export function fieldsOf<R>(
  places: Readonly<Record<string, JsonPlace<R>>>,
  guarded: readonly string[] = [],
): JsonFields<R> {
  return keyTable(
    Object.entries(places).map(([name, place], index) => ({
      name,
      index,
      isGuarded: guarded.includes(name),
      place,
    })),
  );
}
