/** What a component reads of `/api`: asked when it appears or asks for something else, and again with the live data. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Answer, ApiFailure, type Asked, type PathOf, read, wordsOf } from "./api.ts";
import { key, locked } from "./key.ts";
import { tick } from "./live.ts";

export type Reading<T> = {
  /** The last answer; it stays while a newer one, or one to another question, is on its way. */
  data: T | null;
  /** Why the last question has no answer, in words. */
  error: string | null;
  isLoading: boolean;
  refetch: () => void;
};

/** @param everyMs  asked again with the live data, but not more often than this; null: only when `refetch` says so */
export function useRead<P extends PathOf<"GET">>(
  path: P,
  asked: Pick<Asked, "query" | "params"> = {},
  everyMs: number | null = 0,
): Reading<Answer<"GET", P>> {
  type Told = { data: Answer<"GET", P> | null; error: string | null; isLoading: boolean };
  const [told, setTold] = useState<Told>({ data: null, error: null, isLoading: true });
  const askAgain = useRef(() => {});
  const askedMs = useRef(0);

  useEffect(() => {
    const controller = new AbortController();
    let isAsking = false;
    askAgain.current = () => {
      if (isAsking) return;
      isAsking = true;
      askedMs.current = Date.now();
      read(path, { ...asked, signal: controller.signal })
        .then(
          (data) => setTold({ data, error: null, isLoading: false }),
          (error: unknown) => {
            if (controller.signal.aborted) return;
            if (error instanceof ApiFailure && error.status === 401)
              locked.value = key.peek() === null ? "" : error.message;
            setTold((before) => ({ ...before, error: wordsOf(error), isLoading: false }));
          },
        )
        .finally(() => {
          isAsking = false;
        });
    };
    setTold((before) => ({ ...before, isLoading: true }));
    askAgain.current();
    return () => controller.abort();
  }, [JSON.stringify([path, asked])]);

  const beat = everyMs === null ? 0 : tick.value;
  useEffect(() => {
    if (beat > 0 && Date.now() - askedMs.current >= (everyMs ?? 0)) askAgain.current();
  }, [beat]);

  return { ...told, refetch: () => askAgain.current() };
}
