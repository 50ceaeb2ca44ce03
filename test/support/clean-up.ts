type Work = () => unknown;

const files: Work[] = [];
const tests: Work[] = [];

/**
 * What a helper of the tests has to end or to put back after each file, and after each test. A helper is loaded once for all files of a test worker,
 * so a hook of its own would belong to the first file alone. To be called where the helper is loaded.
 */
export const afterEveryFile = (work: Work): void => void files.push(work);
export const afterEveryTest = (work: Work): void => void tests.push(work);

/** The last one first, as with hooks. One that fails does not keep the others from their work. */
async function all(works: readonly Work[]): Promise<void> {
  const errors: unknown[] = [];
  for (const work of works.toReversed())
    try {
      await work();
    } catch (error) {
      errors.push(error);
    }
  if (errors.length > 0) throw errors.length === 1 ? errors[0] : new AggregateError(errors);
}

export const cleanUpFile = (): Promise<void> => all(files);
export const cleanUpTest = (): Promise<void> => all(tests);
