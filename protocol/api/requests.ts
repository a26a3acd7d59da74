/** `/api/requests/{id}`: stops a request in flight. */
import * as z from "zod";
import { BoxName } from "../records.ts";
import type { ApiRoute } from "./route.ts";

const RequestStopped = z
  .object({ status: z.literal("stopped"), id: z.uuid(), box: BoxName })
  .meta({ id: "RequestStopped" });

export const REQUEST_ROUTES = {
  stopRequest: {
    method: "DELETE",
    audit: "request_stopped",
    path: "/api/requests/{id}",
    scope: "any",
    tag: "Live",
    summary: "Stop a request in flight",
    description: [
      "Its caller gets an error in the words of its API, Ollama stops generating, and the record names who stopped it.",
      "Needs the scope admin, or the key of the request itself. 404 if no such request is in flight through this edge.",
    ].join(" "),
    params: z.object({ id: z.uuid().toLowerCase() }),
    answer: RequestStopped,
  },
} as const satisfies Record<string, ApiRoute>;
