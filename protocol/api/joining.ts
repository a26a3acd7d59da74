/** `/api/boxes/join`: codes with which boxes join this edge, and the removal of a box that joined. */
import * as z from "zod";
import { BoxName } from "../records.ts";
import { AgentFile } from "../update.ts";
import type { ApiRoute } from "./route.ts";
import { Time } from "./shapes.ts";

const JoinCodeId = z.string().regex(/^[0-9a-f]{16}$/, "is not the id of a join code");

/** `POST /api/boxes/join`. */
const NewJoinCode = z
  .strictObject({
    name: BoxName.nullable()
      .default(null)
      .describe(
        "the only name that may join; a box that has it is replaced. null: the box chooses a free name",
      ),
  })
  .meta({ id: "NewJoinCode" });

/** A join code as it is listed: never the code itself. */
export const JoinCodeEntry = z
  .object({
    id: JoinCodeId,
    name: BoxName.nullable().describe("the only name that may join; null: any that is free"),
    state: z.enum(["waiting", "used", "expired", "cancelled"]),
    made_at: Time,
    expires_at: Time,
    box: BoxName.nullable().describe("the box that joined with it"),
    joined_at: Time.nullable(),
  })
  .meta({ id: "JoinCodeEntry" });
export type JoinCodeEntry = z.infer<typeof JoinCodeEntry>;

const JoinCodes = z
  .object({ codes: z.array(JoinCodeEntry).describe("all of the last 24 hours, newest first") })
  .meta({ id: "JoinCodes" });

const MadeJoinCode = z
  .object({
    ...JoinCodeEntry.shape,
    code: z.string().describe("the code. It is shown only now, and works once"),
    command: z.string().describe("the line to run as root on the box"),
  })
  .meta({ id: "MadeJoinCode" });
export type MadeJoinCode = z.infer<typeof MadeJoinCode>;

const BoxRevoked = z
  .object({ status: z.literal("revoked"), box: BoxName })
  .meta({ id: "BoxRevoked" });

/** `POST /api/boxes/{name}/update`. */
const UpdateOffered = z
  .object({
    status: z.literal("offered"),
    box: BoxName,
    from_version: z.string().describe("the version that its agent has now"),
    ...AgentFile.shape,
  })
  .meta({ id: "UpdateOffered" });

const CodePath = z.object({ id: JoinCodeId });
const tag = "Boxes";

export const JOINING_ROUTES = {
  joinCodes: {
    method: "GET",
    path: "/api/boxes/join",
    scope: "admin",
    tag,
    summary: "List the join codes",
    answer: JoinCodes,
  },
  makeJoinCode: {
    method: "POST",
    audit: "join_code_made",
    showsSecret: true,
    path: "/api/boxes/join",
    scope: "admin",
    tag,
    summary: "Make a code with which a box joins",
    description:
      "Works once, within 10 minutes. The box makes its own key, so it needs no secret and the edge no deployment.",
    body: NewJoinCode,
    answer: MadeJoinCode,
  },
  cancelJoinCode: {
    method: "DELETE",
    audit: "join_code_cancelled",
    path: "/api/boxes/join/{id}",
    scope: "admin",
    tag,
    summary: "Cancel a join code",
    params: CodePath,
    answer: JoinCodeEntry,
  },
  revokeBox: {
    method: "POST",
    audit: "box_revoked",
    path: "/api/boxes/{name}/revoke",
    scope: "admin",
    tag,
    summary: "Take a box's certificate back",
    description: [
      "Its tunnel is closed within a second, and it cannot return unless it joins again. Its history stays.",
      "409 for a box with a secret in BOX_SECRETS only.",
    ].join(" "),
    params: z.object({ name: BoxName }),
    answer: BoxRevoked,
  },
  updateBox: {
    method: "POST",
    audit: "box_update_offered",
    path: "/api/boxes/{name}/update",
    scope: "admin",
    tag,
    summary: "Update the agent of a box to the version of this edge",
    description: [
      "The edge offers its agent with a signature. The box downloads and checks it, waits until no request is open, and",
      "restarts into it. It returns to the old one if the new one does not connect within a minute. `update` in /api/boxes",
      "shows the progress. 409 for a box that has not joined, or whose agent forbids updates.",
    ].join(" "),
    params: z.object({ name: BoxName }),
    answer: UpdateOffered,
  },
} as const satisfies Record<string, ApiRoute>;
