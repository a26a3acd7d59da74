/** The offer of an agent's file, signed for one process of one box. */
import { type AgentFile, offerText, type UpdateOffer } from "../../protocol/update.ts";
import { type Authority, signedBy } from "./authority.ts";

/** @param authorities  all of the edge: the box trusts one of them */
export async function offerOf(
  file: AgentFile,
  { box, bootId }: { box: string; bootId: string },
  authorities: readonly Authority[],
): Promise<UpdateOffer> {
  const text = offerText(box, bootId, file);
  return {
    ...file,
    signatures: await Promise.all(authorities.map((each) => signedBy(each, text))),
  };
}
