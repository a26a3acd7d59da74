/** A page that is loaded when it is opened. */
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
        () =>
          setState({ Page: null, error: "It could not be loaded: there may be a new version." }),
      );
    }, []);
    if (state.error !== null)
      return <FailureNote what="This page" why={state.error} again={() => location.reload()} />;
    return state.Page === null ? <Skeleton lines={6} tall /> : <state.Page />;
  };
}
