/**
 * Requests that an Ollama on loopback accepts: the guard against DNS rebinding (Host) and against
 * web pages (Origin). Both refuse with 403 and an empty body.
 */
import { hostname } from "node:os";

const LOCAL_NAME = /(^|\.)(localhost|local|internal)$/;
const PRIVATE_ADDRESS =
  /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|0\.0\.0\.0$|\[?(::1?|f[cd][0-9a-f:]+|fe80:[0-9a-f:]+)\]?$)/i;
const LOCAL_ORIGIN =
  /^(https?:\/\/(localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(:\d+)?|(app|file|tauri|vscode-webview|vscode-file):\/\/.*)$/;

export function isAdmitted(host: string | undefined, origin: string | undefined): boolean {
  const isOwnOrigin = origin !== undefined && host !== undefined && origin === `http://${host}`;
  if (origin !== undefined && !isOwnOrigin && !LOCAL_ORIGIN.test(origin)) return false;
  if (host === undefined || host === "") return true;
  const name = host.replace(/:\d+$/, "").toLowerCase();
  return LOCAL_NAME.test(name) || PRIVATE_ADDRESS.test(name) || name === hostname().toLowerCase();
}
