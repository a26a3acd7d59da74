/** Facts about one thing, as names and values. */
import type { ComponentChildren } from "preact";

export type Fact = readonly [name: string, value: ComponentChildren];

/** @property children  facts that need more than a name and a value, below the others */
type Props = { facts: readonly Fact[]; children?: ComponentChildren };

export const FactList = ({ facts, children }: Props) => (
  <dl class="facts">
    {facts.map(([name, value]) => (
      <div key={name}>
        <dt>{name}</dt>
        <dd>{value}</dd>
      </div>
    ))}
    {children}
  </dl>
);
