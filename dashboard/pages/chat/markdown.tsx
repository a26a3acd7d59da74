/**
 * Renders a model's Markdown. The text is untrusted, so it is sanitized: no scripts, no styles,
 * nothing that loads by itself, and links that send no referrer.
 */
import DOMPurify from "dompurify";
import { Marked } from "marked";
import { useMemo } from "preact/hooks";

/** Raw HTML from a model is shown as text. */
const marked = new Marked({
  async: false,
  gfm: true,
  breaks: true,
  renderer: { html: ({ text }) => escaped(text) },
});

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
const escaped = (text: string) =>
  text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);

DOMPurify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName !== "A") return;
  node.setAttribute("target", "_blank");
  node.setAttribute("rel", "noopener noreferrer nofollow");
});

const CLEAN = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: [
    "style",
    "img",
    "picture",
    "video",
    "audio",
    "source",
    "form",
    "input",
    "button",
    "select",
    "textarea",
    "dialog",
  ],
  FORBID_ATTR: ["style", "class", "id", "name"],
};

export function Markdown({ text }: { text: string }) {
  const html = useMemo(() => DOMPurify.sanitize(String(marked.parse(text)), CLEAN), [text]);
  return <div class="markdown" dangerouslySetInnerHTML={{ __html: html }} />;
}
