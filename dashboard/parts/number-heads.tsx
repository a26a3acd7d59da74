/** The heads of columns of figures. */
export const NumberHeads = ({ names }: { names: readonly string[] }) => (
  <>
    {names.map((name) => (
      <th key={name} scope="col" class="number">
        {name}
      </th>
    ))}
  </>
);
