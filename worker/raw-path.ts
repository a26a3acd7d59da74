/** The raw path of a request. */

/**
 * Returns the path of the request line. `new URL().pathname` would resolve `%2e` and dot segments,
 * but the allowlist must see the path as it was sent.
 */
export function rawPathOf(request: Request): string {
  const start = request.url.indexOf("/", request.url.indexOf("://") + 3);
  const end = request.url.slice(start).search(/[?#]/);
  return start < 0
    ? "/"
    : end < 0
      ? request.url.slice(start)
      : request.url.slice(start, start + end);
}
