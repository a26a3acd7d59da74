/** Where the listener listens: as it is written, shown, and dialled; and whether it would call itself. */
import { lookup } from "node:dns/promises";
import { isIPv4 } from "node:net";
import { networkInterfaces } from "node:os";
import { ConfigError } from "../errors.ts";

/** `host`: a name or an address, IPv6 without brackets. `port` 0: any free one. */
export type ListenAddress = { host: string; port: number };

const LOOPBACK = "127.0.0.1";
const PORT_MAX = 65_535;

/**
 * `[host:]port`; loopback where no host is given.
 * @throws {ConfigError}
 */
export function listenAddressOf(text: string): ListenAddress {
  const parts = /^(?:(\[[0-9a-f:.]+\]|[^:/\s[\]]+):)?(\d{1,5})$/i.exec(text);
  const port = Number(parts?.[2]);
  if (parts === null || port > PORT_MAX)
    throw new ConfigError(
      `--listen ${text.slice(0, 100)} is not [host:]port, e.g. 11500, 0.0.0.0:11500 or [::1]:11500`,
    );
  return { host: (parts[1] ?? LOOPBACK).replace(/^\[|\]$/g, ""), port };
}

/** `host:port`, as a person or a URL writes it. */
export const shownAddress = ({ host, port }: ListenAddress): string =>
  `${host.includes(":") ? `[${host}]` : host}:${port}`;

/** The URL at which this machine reaches what listens there. */
export const urlOf = ({ host, port }: ListenAddress): string =>
  `http://${shownAddress({ host: host === "0.0.0.0" ? LOOPBACK : host === "::" ? "::1" : host, port })}`;

export const isLoopback = (address: string): boolean =>
  address.startsWith("127.") || address === "::1";

/**
 * Whether a call to `ollamaUrl` would arrive at a listener at `listen`: it would forward to itself.
 * A name that is not known reaches nothing.
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

/** Whether `to` is served by a socket that is bound to `at`. */
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
