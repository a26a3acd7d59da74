/** The names of models and boxes, as links to their pages. A model has its colour beside its name. */
import { modelClass } from "../data/model-colour.ts";
import { linkTo } from "../data/scope.ts";

export const ColouredName = ({ model }: { model: string }) => (
  <>
    <i class={`model-dot ${modelClass(model)}`} />
    {model}
  </>
);

export const ModelLink = ({ model }: { model: string }) => (
  <a class="place-link" href={linkTo("model", { model })}>
    <ColouredName model={model} />
  </a>
);

export const BoxLink = ({ box }: { box: string }) => (
  <a class="place-link" href={linkTo("box", { box })}>
    {box}
  </a>
);
