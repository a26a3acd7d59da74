/** The listener's address: parsed, shown, dialled, and checked against forwarding to itself. */
import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { ConfigError } from "../errors.ts";

/** `host` is a name or an address, IPv6 without brackets. `port` 0 means any free port. */
export type ListenAddress = { host: string; port: number };

const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65_535;

/**
 * Parses `[host:]port`. The host defaults to loopback.
 * @throws {ConfigError}
 */
export function listenAddressOf(text: string): ListenAddress {
  const parts = /^(?:(\[[0-9a-f:.]+\]|[^:/\s[\]]+):)?(\d{1,5})$/i.exec(text);
  const port = Number(parts?.[2]);
  if (parts === null || port > PORT_MAX)
    throw new ConfigError(
      "--listen must be [host:]port, e.g. 11500, 0.0.0.0:11500 or [::1]:11500; " +
        `got ${JSON.stringify(text.slice(0, 100))}`,
    );
  return { host: (parts[1] ?? LOOPBACK).replace(/^\[|\]$/g, ""), port };
}

/** Formats `host:port`, with IPv6 in brackets. */
export const shownAddress = ({ host, port }: ListenAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** Returns the URL at which this machine reaches the address. */
export const urlOf = ({ host, port }: ListenAddress): string =>
  `http://${shownAddress({ host: host === "0.0.0.0" ? LOOPBACK : host === "::" ? "::1" : host, port })}`;

export const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1";

/**
 * Returns whether a call to `ollamaUrl` would arrive at a listener on `listen`, which would forward to itself.
 * A name that does not resolve reaches nothing.
 */
export async function forwardsToItself(listen: ListenAddress, ollamaUrl: URL): Promise<boolean> {
  if (listen.port !== (Number(ollamaUrl.port) || (ollamaUrl.protocol === "https:" ? 443 : 80)))
    return false;
  const [bound, dialled] = await Promise.all([
    addressesOf(listen.host),
    addressesOf(ollamaUrl.hostname.replace(/^\[|\]$/g, "")),
  ]);
  const own = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).map(({ address }) => address),
  );
  return dialled.some((to) => bound.some((at) => isReached(at, to, own)));
}

/** Returns whether a socket bound to `at` serves `to`. */
function isReached(at: string, to: string, own: string[]): boolean {
  if (at === to) return true;
  const isEverywhere = at === "::" || (at === "0.0.0.0" && isIPv4(to));
  return isEverywhere && (isLoopback(to) || own.includes(to));
}

const addressesOf = (host: string): Promise<string[]> =>
  lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
