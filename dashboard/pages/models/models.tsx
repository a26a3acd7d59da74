/** The Models page: installed models, usage by model, and the library. */
import { live, refreshNow } from "../../data/live.ts";
import { useQuery } from "../../data/query.ts";
import { FailureNote, Skeleton } from "../../parts/basics.tsx";
import { BenchSection } from "./bench.tsx";
import { FitSection } from "./fit.tsx";
import { InstalledSection } from "./installed.tsx";
import { LibrarySection } from "./library.tsx";
import { Statistics } from "./statistics.tsx";

export function ModelsPage() {
  const config = useQuery("/api/config", {}, null);
  const installed = useQuery("/api/ollama/models", {}, 5_000);
  const repository = useQuery("/api/models/repository", {}, 10_000);
  const mayChange = config.data?.scopes.includes("models") ?? false;
  const boxes = live.value?.value.boxes ?? [];
  const changed = () => {
    installed.refetch();
    repository.refetch();
    refreshNow(); // the models in memory, and the pins
  };
  return (
    <>
      {installed.error !== null && (
        <FailureNote
          title="Could not load the models."
          detail={installed.error}
          retry={installed.refetch}
        />
      )}
      {repository.data?.problem && (
        <FailureNote
          title="Favourites and the default model may be out of date."
          detail={repository.data.problem}
          retry={repository.refetch}
        />
      )}
      <FitSection models={installed.data?.models ?? []} boxes={boxes} />
      {installed.data === null ? (
        installed.error === null && <Skeleton lines={5} tall />
      ) : (
        <InstalledSection
          models={installed.data.models}
          repository={repository.data?.models ?? []}
          boxes={boxes}
          isAdmin={mayChange}
          changed={changed}
        />
      )}
      <Statistics />
      <BenchSection models={installed.data?.models ?? []} boxes={boxes} isAdmin={mayChange} />
      <LibrarySection boxes={boxes} isAdmin={mayChange} changed={changed} />
    </>
  );
}
