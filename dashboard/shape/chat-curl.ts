/** An answer of the Playground as a call for a terminal. Pure. */
import { chatBody, type Message } from "./chat.ts";
import { readBy } from "./chat-sides.ts";
import { quoted } from "./curl.ts";

const IMAGES = /"images":\[([^\]]*)\]/g;

/**
 * Returns the call that led to an answer. Images are read from files of their names, because a shell takes
 * no argument of their size.
 * @param messages  the conversation with the answer
 * @param isOpen  true if the edge needs no key
 */
export function chatCurl(
  messages: readonly Message[],
  { model, side, asked }: Message & { asked: NonNullable<Message["asked"]> },
  { origin, isOpen }: { origin: string; isOpen: boolean },
): string {
  const names: string[] = [];
  const before = readBy(messages, side).map((message) => ({
    ...message,
    images: message.images.flatMap((image) =>
      image.data === null ? [] : [{ ...image, data: String(names.push(image.name) - 1) }],
    ),
  }));
  const { options, box, hasImages } = asked;
  const json = JSON.stringify(chatBody(before, model ?? "", options, hasImages));
  const head = [
    `curl -N ${origin}/api/chat`,
    "-H 'content-type: application/json'",
    ...(box === "" ? [] : [`-H ${quoted(`x-box: ${box}`)}`]),
    ...(isOpen ? [] : ['-H "authorization: Bearer $API_KEY"']),
  ];
  if (names.length === 0 || !hasImages) return [...head, `-d ${quoted(json)}`].join(" \\\n  ");
  // In a text, the quotes of this pattern would be escaped, so only the field itself matches.
  const filled = json
    .replace(/[\\$`]/g, "\\$&")
    .replace(IMAGES, (_, list: string) => `"images":[${list.split(",").map(fileOf).join(",")}]`);
  return [...head, `-d @- <<END\n${filled}\nEND`].join(" \\\n  ");

  function fileOf(index: string): string {
    const name = names[Number(JSON.parse(index))] ?? "";
    return `"$(base64 < ${quoted(name)} | tr -d '\\n')"`;
  }
}
