import { useEffect, type RefObject } from 'react';

/** Ctrl+F and `/` lead into the search of the list wherever the focus is, but for what has a search of its own or is being typed in. */
export function useSearchKeys(field: RefObject<HTMLInputElement | null>): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.defaultPrevented || !isSearch(event) || isElsewhere(event.target)) return;
      event.preventDefault();
      field.current?.focus();
      field.current?.select();
    };
    window.addEventListener('keydown', press);
    return () => window.removeEventListener('keydown', press);
  }, [field]);
}

function isSearch({ key, ctrlKey, metaKey, altKey, target }: KeyboardEvent): boolean {
  if (key.toLowerCase() === 'f') return (ctrlKey || metaKey) && !altKey;
  return key === '/' && !ctrlKey && !metaKey && !altKey && !isTyping(target);
}

const isTyping = (target: EventTarget | null): boolean =>
  target instanceof Element &&
  target.closest('input, textarea, select, [contenteditable]') !== null;

/** The log has a search of its own; a dialog has the keyboard for itself. */
const isElsewhere = (target: EventTarget | null): boolean =>
  (target instanceof Element && target.closest('.log') !== null) ||
  document.querySelector('[role="dialog"][aria-modal="true"]') !== null;
