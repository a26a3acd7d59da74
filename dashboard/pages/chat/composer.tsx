/** The field for a message and its images, which are picked, pasted or dropped. */
import { useRef, useState } from "preact/hooks";
import { preferences } from "../../data/preferences.ts";
import { CloseIcon, ImageIcon } from "../../parts/icons.tsx";
import { type ChatImage, IMAGE_TYPES } from "../../shape/chat-images.ts";
import { bytes } from "../../shape/format.ts";
import { isAnswering, messages, stopAnswers } from "./conversation.ts";
import { readImages } from "./image-files.ts";

type Props = {
  send: (text: string, images: ChatImage[]) => void;
  /** The chosen models that read no images. */
  blind: readonly string[];
  asked: number;
};

export function Composer({ send, blind, asked }: Props) {
  const [text, setText] = useState("");
  const [images, setImages] = useState<ChatImage[]>([]);
  const [problems, setProblems] = useState<string[]>([]);
  const [isOver, setIsOver] = useState(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const noneSees = blind.length === asked;

  const add = async (files: Iterable<File>) => {
    if (noneSees) {
      setProblems([`${listed(blind)} no images. Choose a model that does.`]);
      return;
    }
    const before = [...messages.peek().flatMap((message) => message.images), ...images];
    const takenBytes = before.reduce(
      (sum, { data, sizeBytes }) => sum + (data === null ? 0 : sizeBytes),
      0,
    );
    const read = await readImages(files, takenBytes);
    setImages((now) => [...now, ...read.images]);
    setProblems(read.problems);
    field.current?.focus();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    if (text.trim() === "" || isAnswering()) return;
    send(text.trim(), images);
    setText("");
    setImages([]);
    setProblems([]);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setIsOver(false);
    void add(event.dataTransfer?.files ?? []);
  };

  return (
    <form
      class={isOver ? "composer over" : "composer"}
      onSubmit={submit}
      onDragOver={(event) => {
        if (event.dataTransfer?.types.includes("Files") !== true) return;
        event.preventDefault();
        setIsOver(true);
      }}
      onDragLeave={() => setIsOver(false)}
      onDrop={drop}
    >
      {images.length > 0 && (
        <ul class="attached" aria-label="Images of this message">
          {images.map((image, index) => (
            <li key={index}>
              <Picture image={image} />
              <button
                type="button"
                class="plain"
                aria-label={`Remove ${image.name}`}
                onClick={() => {
                  setImages(images.toSpliced(index, 1));
                  field.current?.focus();
                }}
              >
                <CloseIcon />
              </button>
            </li>
          ))}
        </ul>
      )}
      {images.length > 0 && blind.length > 0 && (
        <p class="composer-note">
          {noneSees
            ? `${listed(blind)} no images, so they are not sent.`
            : `${listed(blind)} no images and gets the text alone.`}
        </p>
      )}
      <div class="composer-problems" role="alert">
        {problems.map((problem) => (
          <p key={problem} class="error-text">
            {problem}
          </p>
        ))}
      </div>
      <input
        ref={picker}
        type="file"
        class="sr-only"
        aria-label="Image files"
        tabIndex={-1}
        multiple
        accept={IMAGE_TYPES.join(",")}
        onChange={(event) => {
          void add([...(event.currentTarget.files ?? [])]);
          event.currentTarget.value = "";
        }}
      />
      <button
        type="button"
        class="attach"
        aria-label="Add images"
        title={noneSees ? `${listed(blind)} no images` : "Add images (or paste or drop them)"}
        aria-disabled={noneSees}
        onClick={() => (noneSees ? void add([]) : picker.current?.click())}
      >
        <ImageIcon />
      </button>
      <textarea
        ref={field}
        aria-label="Message"
        placeholder="Message (Enter to send, Shift+Enter for a new line)"
        rows={2}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
        onPaste={(event) => {
          const files = event.clipboardData?.files ?? [];
          if (files.length === 0) return;
          event.preventDefault();
          void add(files);
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
        }}
      />
      {isAnswering() ? (
        <button type="button" class="danger" onClick={stopAnswers}>
          {asked > 1 ? "Stop both" : "Stop"}
        </button>
      ) : (
        <button type="submit" class="primary" disabled={text.trim() === ""}>
          Send
        </button>
      )}
    </form>
  );
}

const listed = (models: readonly string[]): string =>
  `${models.join(" and ")} ${models.length > 1 ? "read" : "reads"}`;

export const Picture = ({ image: { name, type, sizeBytes, data } }: { image: ChatImage }) => (
  <figure class="picture">
    {data !== null && <img src={`data:${type};base64,${data}`} alt={name} />}
    <figcaption>
      {name} <span class="quiet">{bytes(sizeBytes, preferences.value.sizes)}</span>
      {data === null && <span class="quiet">, no longer kept</span>}
    </figcaption>
  </figure>
);
