import { expect, test } from "vitest";
import { addressFault } from "../../../../worker/alerting/address.ts";

const HTTPS = "must begin with https://";
const PUBLIC = "must be the address of a public host";

const ADDRESSES: [url: string, deployed: string | null, local: string | null][] = [
  ["https://hooks.slack.com/services/T0/B0/x", null, null],
  ["https://ntfy.example.com:8443/topic", null, null],
  ["https://8.8.8.8/hook", null, null],
  ["https://[2606:4700::1111]/hook", null, null],
  ["http://hooks.example.com/", HTTPS, HTTPS],
  ["ftp://hooks.example.com/", HTTPS, HTTPS],
  ["not a url", "is not a URL", "is not a URL"],
  ["https://user:pass@hooks.example.com/", ...twice("must not contain a user or a password")],
  ["http://127.0.0.1:9000/hook", HTTPS, null],
  ["http://localhost:9000/hook", HTTPS, null],
  ["https://localhost/hook", PUBLIC, null],
  ["http://10.0.0.5/hook", HTTPS, HTTPS],
  ["https://10.0.0.5/hook", ...twice(PUBLIC)],
  ["https://0x0a000005/hook", ...twice(PUBLIC)],
  ["https://167772165/hook", ...twice(PUBLIC)],
  ["https://172.20.1.1/", ...twice(PUBLIC)],
  ["https://172.32.1.1/", null, null],
  ["https://192.168.1.4/", ...twice(PUBLIC)],
  ["https://169.254.169.254/latest/meta-data", ...twice(PUBLIC)],
  ["https://100.100.100.200/", ...twice(PUBLIC)],
  ["https://0.0.0.0/", ...twice(PUBLIC)],
  ["https://[::ffff:10.0.0.5]/", ...twice(PUBLIC)],
  ["https://[fd00::1]/", ...twice(PUBLIC)],
  ["https://[fe80::1]/", ...twice(PUBLIC)],
  ["https://printer.local/", ...twice(PUBLIC)],
  ["https://metadata.google.internal./", ...twice(PUBLIC)],
  ["https://intranet/", ...twice(PUBLIC)],
];

function twice(fault: string): [string, string] {
  return [fault, fault];
}

test.each(ADDRESSES)("judges the address %s", (url, deployed, local) => {
  expect(addressFault(url, false)).toBe(deployed);
  expect(addressFault(url, true)).toBe(local);
});
