/**
 * Fetches what a component shows from `/api`: when it mounts, when its query changes, and along
 * with the live data.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import {
  ApiFailure,
  type CallOptions,
  errorMessage,
  type PathOf,
  type ResponseOf,
  read,
} from "./api.ts";
import { tick } from "./live.ts";
import { lock } from "./session.ts";

export type QueryState<T> = {
  /** The last response. It stays while a newer one, or one to a changed query, is loading. */
  data: T | null;
  /** Message of the last error, or null if the last request succeeded. */
  error: string | null;
  isLoading: boolean;
  refetch: () => void;
};

/**
 * @param everyMs  shortest time between two refetches along with the live data; null refetches only
 *   through `refetch`
 */
export function useQuery<P extends PathOf<"GET">>(
  path: P,
  options: Pick<CallOptions, "query" | "params"> = {},
  everyMs: number | null = 0,
): QueryState<ResponseOf<"GET", P>> {
  type Fetched = { data: ResponseOf<"GET", P> | null; error: string | null; isLoading: boolean };
  const [fetched, setFetched] = useState<Fetched>({ data: null, error: null, isLoading: true });
  const refetch = useRef(() => {});
  const lastFetchMs = useRef(0);

  useEffect(() => {
    const controller = new AbortController();
    let isFetching = false;
    refetch.current = () => {
      if (isFetching) return;
      isFetching = true;
      lastFetchMs.current = Date.now();
      read(path, { ...options, signal: controller.signal })
        .then(
          (data) => setFetched({ data, error: null, isLoading: false }),
          (error: unknown) => {
            if (controller.signal.aborted) return;
            if (error instanceof ApiFailure && error.status === 401) lock(error);
            setFetched((before) => ({ ...before, error: errorMessage(error), isLoading: false }));
          },
        )
        .finally(() => {
          isFetching = false;
        });
    };
    setFetched((before) => ({ ...before, isLoading: true }));
    refetch.current();
    return () => controller.abort();
  }, [JSON.stringify([path, options])]);

  const beat = everyMs === null ? 0 : tick.value;
  useEffect(() => {
    if (beat > 0 && Date.now() - lastFetchMs.current >= (everyMs ?? 0)) refetch.current();
  }, [beat]);

  return { ...fetched, refetch: () => refetch.current() };
}
