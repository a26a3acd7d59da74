/**
 * What a model wrote, marked up. It may have written anything: what is left after cleaning has no
 * scripts, no styles, nothing that loads by itself, and links that tell nobody where they were followed from.
 */
import DOMPurify from "dompurify";
import { marked } from "marked";
import { useMemo } from "preact/hooks";

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const CLEAN = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: ["style", "img", "picture", "video", "audio", "source", "form", "input", "button", "select", "textarea", "dialog"],
  FORBID_ATTR: ["style", "class", "id", "name"],
};

export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => DOMPurify.sanitize(marked.parse(text, { async: false, gfm: true, breaks: true }), CLEAN), [text]);
  return <div class="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
