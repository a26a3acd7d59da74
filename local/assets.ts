/**
 * A Worker that serves the static files as Cloudflare's assets do: with a type, an entity tag and
 * the same policy for caches. workerd itself only reads them from disk.
 */

type Files = { fetch(url: string): Promise<Response> };

const TYPES: Record<string, string> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  ico: "image/vnd.microsoft.icon",
  js: "text/javascript; charset=utf-8",
  json: "application/json",
  mjs: "text/javascript; charset=utf-8",
  png: "image/png",
  sh: "application/x-sh",
  svg: "image/svg+xml",
  txt: "text/plain; charset=utf-8",
  webmanifest: "application/manifest+json",
  woff2: "font/woff2",
};

/** workerd gives each file this type, and the listing of a folder another one. */
const FILE_TYPE = "application/octet-stream";

export default {
  async fetch(request: Request, { FILES }: { FILES: Files }): Promise<Response> {
    const { pathname } = new URL(request.url);
    const path = pathname === "/" ? "/index.html" : pathname;
    const file = await FILES.fetch(`http://files${path}`);
    if (file.status !== 200 || file.headers.get("content-type") !== FILE_TYPE) {
      await file.body?.cancel();
      return new Response(null, { status: 404 });
    }
    const content = await file.arrayBuffer();
    const etag = `"${await hashOf(content)}"`;
    const headers = new Headers({ "cache-control": "public, max-age=0, must-revalidate", etag });
    const type = TYPES[/\.([^./]+)$/.exec(path)?.[1] ?? ""];
    if (type !== undefined) headers.set("content-type", type);
    if (holds(request.headers.get("if-none-match"), etag))
      return new Response(null, { status: 304, headers });
    headers.set("content-length", String(content.byteLength));
    return new Response(request.method === "HEAD" ? null : content, { headers });
  },
};

/** Returns whether `If-None-Match` contains this tag. A proxy may have marked it as weak. */
const holds = (header: string | null, etag: string): boolean =>
  (header ?? "").split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag);

async function hashOf(content: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(digest.subarray(0, 16), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
