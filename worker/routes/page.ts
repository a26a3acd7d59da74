/** The page and the agent's files: static, without secrets or numbers, so they are public. */
import { Hono } from "hono";
import type { Env } from "../bindings.ts";

/** Scripts and styles only from here; nothing may frame the page. */
const SECURITY_HEADERS = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "strict-transport-security": "max-age=31536000",
};

export const pageRoutes = new Hono<Env>().on(
  ["GET", "HEAD"],
  ["/", "/assets/*", "/agent/agent.mjs", "/agent/install.sh", "/agent/ollama-edge-agent.service"],
  async (c) => {
    const asset = await c.env.ASSETS.fetch(c.req.raw);
    const answer = new Response(asset.body, asset);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    return answer;
  },
);
