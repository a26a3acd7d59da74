/**
 * Preloaded into an agent (`node --import`): its wall clock is off by `WRONG_CLOCK_MS`, and from
 * SIGUSR2 on by `WRONG_CLOCK_THEN_MS`. Monotonic time and timers do not change, as on a machine
 * whose clock is set.
 */
let offMs = Number(process.env.WRONG_CLOCK_MS ?? 0);
const TrueDate = Date;

globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args) =>
    args.length === 0 ? new target(TrueDate.now() + offMs) : Reflect.construct(target, args),
  apply: () => new TrueDate(TrueDate.now() + offMs).toString(),
  get: (target, name) =>
    name === "now" ? () => TrueDate.now() + offMs : Reflect.get(target, name),
});

process.on("SIGUSR2", () => {
  offMs = Number(process.env.WRONG_CLOCK_THEN_MS ?? 0);
});
