/** An invariant that does not hold, in the world of one seed. */
export class Broken extends Error {
  override readonly name = "Broken";
}

export function broken(what: string): never {
  throw new Broken(what);
}
