/** Loads the code of a page, or of a dialog, when it is first opened. */
import type { ComponentType, JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { FailureNote, Skeleton } from "./basics.tsx";

/** @param waiting  shown until the code is there */
export function lazy<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
  waiting: JSX.Element | null = <Skeleton lines={6} tall />,
): ComponentType<Props> {
  return function Lazy(props: Props) {
    const [state, setState] = useState<{ Page: ComponentType<Props> | null; error: string | null }>(
      {
        Page: null,
        error: null,
      },
    );
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
    return state.Page === null ? waiting : <state.Page {...props} />;
  };
}

/** A dialog shows nothing until its code is there. */
export const lazyDialog = <Props extends object>(load: () => Promise<ComponentType<Props>>) =>
  lazy(load, null);
