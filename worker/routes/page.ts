/** The page and the agent's files: static and without secrets or figures, therefore public. */
import { Hono } from "hono";
import type { Env } from "../env.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

/** The build names the files in this folder after a hash of their content. */
const IMMUTABLE = "/assets/immutable/";

export const pageRoutes = new Hono<Env>().on(
  ["GET", "HEAD"],
  [
    "/",
    "/favicon.ico",
    "/assets/*",
    "/agent/agent.mjs",
    "/agent/install.sh",
    "/agent/ollama-edge-agent.service",
  ],
  async (c) => {
    const asset = await c.env.ASSETS.fetch(c.req.raw);
    if (asset.status === 404) {
      await asset.body?.cancel();
      return c.notFound();
    }
    const answer = new Response(asset.body, asset);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    answer.headers.set(
      "cache-control",
      c.req.path.startsWith(IMMUTABLE) ? "public, max-age=31536000, immutable" : "no-cache",
    );
    return answer;
  },
);
