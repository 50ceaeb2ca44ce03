import { create } from 'zustand';

/** Whether the form of a new notebook is open: its button opens it, and the palette. */
export const useNewNotebook = create<{ readonly opened: boolean }>(() => ({ opened: false }));
