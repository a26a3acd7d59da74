/** Shows an error of the components below it, so that the rest of the page stays. */
import { Component, type ComponentChildren } from "preact";
import { FailureNote } from "../parts/basics.tsx";

type Props = { children: ComponentChildren };
type State = { error: string | null };

export class Boundary extends Component<Props, State> {
  static override getDerivedStateFromError(error: unknown): State {
    return { error: error instanceof Error ? error.message : String(error) };
  }

  override state: State = { error: null };

  override render() {
    const { error } = this.state;
    if (error === null) return this.props.children;
    return (
      <FailureNote
        title="The page has failed."
        detail={error}
        retry={() => this.setState({ error: null })}
      />
    );
  }
}
