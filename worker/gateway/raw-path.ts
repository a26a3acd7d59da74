/** The path of a request, as it was written. */

/**
 * The path as it stood in the request line. Not `new URL().pathname`: that resolves `%2e` and dot
 * segments, and the allowlist is about what was really asked.
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
