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
  /** True if the last request failed because the edge has no such thing. */
  isMissing: boolean;
  /** True until the current query has an outcome: until then, the data is that of another query. */
  isLoading: boolean;
  refetch: () => void;
};

/**
 * @param everyMs  shortest time between two refetches along with the live data; null refetches only
 *   through `refetch`
 * @param isWanted  false fetches nothing
 */
export function useQuery<P extends PathOf<"GET">>(
  path: P,
  options: Pick<CallOptions, "query" | "params"> = {},
  everyMs: number | null = 0,
  isWanted = true,
): QueryState<ResponseOf<"GET", P>> {
  type Fetched = {
    data: ResponseOf<"GET", P> | null;
    error: string | null;
    isMissing: boolean;
    /** The query that it is the outcome of; null before the first one. */
    of: string | null;
  };
  const [fetched, setFetched] = useState<Fetched>({
    data: null,
    error: null,
    isMissing: false,
    of: null,
  });
  const name = JSON.stringify([path, options, isWanted]);
  const refetch = useRef(() => {});
  const lastFetchMs = useRef(0);

  useEffect(() => {
    if (!isWanted) return;
    const controller = new AbortController();
    let isFetching = false;
    refetch.current = () => {
      if (isFetching) return;
      isFetching = true;
      lastFetchMs.current = Date.now();
      read(path, { ...options, signal: controller.signal })
        .then(
          (data) => setFetched({ data, error: null, isMissing: false, of: name }),
          (error: unknown) => {
            if (controller.signal.aborted) return;
            if (error instanceof ApiFailure && error.status === 401) lock(error);
            setFetched(({ data }) => ({
              data,
              error: errorMessage(error),
              isMissing: error instanceof ApiFailure && error.status === 404,
              of: name,
            }));
          },
        )
        .finally(() => {
          isFetching = false;
        });
    };
    refetch.current();
    return () => controller.abort();
  }, [name]);

  const beat = everyMs === null ? 0 : tick.value;
  useEffect(() => {
    if (isWanted && beat > 0 && Date.now() - lastFetchMs.current >= (everyMs ?? 0))
      refetch.current();
  }, [beat]);

  const { of, ...outcome } = fetched;
  return { ...outcome, isLoading: of !== name, refetch: () => refetch.current() };
}
