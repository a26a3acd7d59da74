/** The bill: billed units, and their sum in dollars at list prices. Pure. */

/** Units of Cloudflare's bill. */
export type Units = {
  /** Requests to the Worker. */
  workerRequests: number;
  /** CPU of the Worker. */
  cpuMs: number;
  /** Calls of a Durable Object by its stub, and its alarms. */
  objectRequests: number;
  /** WebSocket messages that an object receives. */
  messages: number;
  /** An alarm that is set is one of them. */
  rowsWritten: number;
  rowsRead: number;
  /** Requests of the edge to others. They are free. */
  subrequests: number;
  /** Time in which an object handles something. An idle one is not billed. */
  awakeMs: number;
};

const MESSAGES_PER_REQUEST = 20;
const OBJECT_GB = 0.128;

/**
 * Dollars for each unit, without the amounts that the plan of $5 a month includes.
 *
 * List prices of the Workers Paid plan, of 2026-11-26.
 * @see https://developers.cloudflare.com/durable-objects/platform/pricing
 * @see https://developers.cloudflare.com/workers/platform/pricing
 */
export const LIST_PRICES: Readonly<Record<keyof Units, number>> = {
  workerRequests: 0.3e-6,
  cpuMs: 0.02e-6,
  objectRequests: 0.15e-6,
  messages: 0.15e-6 / MESSAGES_PER_REQUEST,
  rowsWritten: 1e-6,
  rowsRead: 0.001e-6,
  subrequests: 0,
  awakeMs: (12.5e-6 * OBJECT_GB) / 1_000,
};

export const UNIT_NAMES = Object.keys(LIST_PRICES) as (keyof Units)[];

export const unitsOf = (of: (name: keyof Units) => number): Units =>
  Object.fromEntries(UNIT_NAMES.map((name) => [name, of(name)])) as Units;

export const NO_UNITS = unitsOf(() => 0);

/** Returns units multiplied by a number, and with others added. */
export const scaled = (units: Units, factor: number, plus: Units = NO_UNITS): Units =>
  unitsOf((name) => units[name] * factor + plus[name]);

export const dollarsOf = (units: Units): number =>
  UNIT_NAMES.reduce((sum, name) => sum + units[name] * LIST_PRICES[name], 0);

/**
 * The CPU of one call in the Worker, ms. Measured in workerd; on Cloudflare it depends on the machine,
 * so it is part of the bill but of no test.
 */
export const WORKER_CPU_MS = 5;
