/** The benches at the end of a page, whose code is loaded when the reader comes near. */
import { whenSeen } from "../../parts/when-seen.tsx";

export const BenchLater = whenSeen(async () => (await import("./bench.tsx")).BenchSection);
