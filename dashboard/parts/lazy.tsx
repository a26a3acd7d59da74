/** Loads the code of a page when it is first opened. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { FailureNote, Skeleton } from "./basics.tsx";

export function lazy(load: () => Promise<ComponentType>): ComponentType {
  return function Lazy() {
    const [state, setState] = useState<{ Page: ComponentType | null; error: string | null }>({
      Page: null,
      error: null,
    });
    useEffect(() => {
      load().then(
        (Page) => setState({ Page, error: null }),
        () => setState({ Page: null, error: "A new version may have been deployed." }),
      );
    }, []);
    if (state.error !== null)
      return (
        <FailureNote
          title="Could not load this page."
          detail={state.error}
          retry={() => location.reload()}
        />
      );
    return state.Page === null ? <Skeleton lines={6} tall /> : <state.Page />;
  };
}
