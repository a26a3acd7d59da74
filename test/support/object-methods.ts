/**
 * Yields each method of the classes of Durable Objects with the prototype that has it, inherited ones
 * too: calls from outside reach them all.
 */
export function* objectMethods(
  classes: readonly { prototype: object }[],
): Generator<[prototype: object, name: string]> {
  for (const each of new Set(classes.flatMap(({ prototype }) => [...ownPrototypes(prototype)])))
    for (const name of Object.getOwnPropertyNames(each))
      if (name !== "constructor" && typeof Reflect.get(each, name) === "function")
        yield [each, name];
}

/** Yields the prototypes of our own classes: the last two of a chain are the platform's and Object's. */
function* ownPrototypes(prototype: object): Generator<object> {
  for (let each = prototype; ; ) {
    const parent = Object.getPrototypeOf(each);
    if (parent === null || Object.getPrototypeOf(parent) === null) return;
    yield each;
    each = parent;
  }
}
