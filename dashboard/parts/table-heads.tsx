/** The heads of the columns of a table, which have no more than a name. */

type Props = { names: readonly string[] };

export const Heads = ({ names }: Props) => (
  <>
    {names.map((name) => (
      <th key={name} scope="col">
        {name}
      </th>
    ))}
  </>
);

/** The heads of columns of figures. */
export const NumberHeads = ({ names }: Props) => (
  <>
    {names.map((name) => (
      <th key={name} scope="col" class="number">
        {name}
      </th>
    ))}
  </>
);
