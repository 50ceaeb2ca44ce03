/** Questions of the window that take a while, by the names it gave them, so that it can take them back. */
export interface Questions {
  /** Runs the answer with a signal that ends when the question is taken back. */
  readonly answer: <T>(question: string, body: (signal: AbortSignal) => Promise<T>) => Promise<T>;
  readonly cancel: (question: string) => void;
}

export function questions(): Questions {
  const open = new Map<string, AbortController>();
  return {
    async answer(question, body) {
      open.get(question)?.abort();
      const controller = new AbortController();
      open.set(question, controller);
      try {
        return await body(controller.signal);
      } finally {
        if (open.get(question) === controller) open.delete(question);
      }
    },
    cancel: (question) => open.get(question)?.abort(),
  };
}
