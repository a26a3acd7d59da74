/** Loads the code of a part far down a page once the reader comes near it. */
import type { ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { lazy } from "./lazy.tsx";

/** Loads it before it is in sight, as far below the window. */
const AHEAD = "400px";

export function whenSeen<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  const Part = lazy(load);
  return function WhenSeen(props: Props) {
    const place = useRef<HTMLDivElement>(null);
    const [isNear, setIsNear] = useState(false);
    useEffect(() => {
      if (place.current === null) return;
      const observer = new IntersectionObserver(
        (entries) => entries.some(({ isIntersecting }) => isIntersecting) && setIsNear(true),
        { rootMargin: AHEAD },
      );
      observer.observe(place.current);
      return () => observer.disconnect();
    }, []);
    return isNear ? <Part {...props} /> : <div ref={place} class="not-yet" />;
  };
}
