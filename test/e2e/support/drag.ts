import type { Page } from '@playwright/test';

interface DragOptions {
  /** Leaves the files over the window, without letting go. */
  readonly hold?: boolean;
  readonly at?: { readonly x: number; readonly y: number };
}

/** Drags files of this machine over the window and drops them there, as a file manager does: the browser itself makes the events. */
export async function dragFiles(
  page: Page,
  files: readonly string[],
  { hold = false, at = { x: 400, y: 300 } }: DragOptions = {},
): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const data = { items: [], files: [...files], dragOperationsMask: 1 };
  for (const type of ['dragEnter', 'dragOver', ...(hold ? [] : ['drop'])] as (
    'dragEnter' | 'dragOver' | 'drop'
  )[])
    await session.send('Input.dispatchDragEvent', { type, ...at, data });
  await session.detach();
}
