/** The sum of numbers. Pure. */
export const totalOf = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0);
