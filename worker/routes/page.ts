/** The page and the agent's files: static and without secrets or figures, therefore public. */
import { Hono } from "hono";
import type { Env } from "../env.ts";
import { SECURITY_HEADERS } from "./security-headers.ts";

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
    const answer = new Response(asset.body, asset);
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) answer.headers.set(name, value);
    return answer;
  },
);
