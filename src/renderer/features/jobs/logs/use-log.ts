import { useComputedColorScheme } from '@mantine/core';
import { useEffect, useRef, useState, type RefObject } from 'react';
import type { LogSource } from '../../../../shared/ipc.ts';
import type { Problem } from '../../../../shared/problem.ts';
import { ask, problemOf } from '../../../client.ts';
import { NO_LOG, openLogWindow, type LogState, type LogWindow } from './log-window.ts';
import { openTerminal, type LogTerminal } from './terminal.ts';

/** How often the end of a log is looked at, in milliseconds: while it may grow, after the job's end, and while nobody sees it. */
const PAUSE = { live: 500, over: 3_000, hidden: 5_000 } as const;

export interface OpenLog {
  readonly window: LogWindow;
  readonly terminal: LogTerminal;
}

interface LogOptions {
  readonly id: string;
  readonly source: LogSource;
  readonly live: boolean;
  readonly label: string;
  /** Keys that the log does not take itself. */
  readonly onSearch: () => void;
}

/** The log of a worker or of the stages in a terminal inside `element`, followed while it is shown. */
export function useLog(
  element: RefObject<HTMLDivElement | null>,
  { id, source, live, label, onSearch }: LogOptions,
): {
  readonly log: LogState;
  readonly problem: Problem | null;
  readonly open: RefObject<OpenLog | null>;
} {
  const [log, setLog] = useState<LogState>(NO_LOG);
  const [problem, setProblem] = useState<Problem | null>(null);
  const open = useRef<OpenLog | null>(null);
  const isLive = useRef(live);
  const search = useRef(onSearch);
  const dark = useComputedColorScheme('light') === 'dark';
  const isDark = useRef(dark);
  useEffect(() => {
    isLive.current = live;
    search.current = onSearch;
    isDark.current = dark;
    open.current?.terminal.setDark(dark);
  }, [live, onSearch, dark]);

  useEffect(() => {
    const box = element.current;
    if (box === null) return undefined;
    const terminal = openTerminal(box, label, isDark.current);
    const window = openLogWindow({
      read: (offset, maxBytes) => ask('jobs-read-log', { id, source, offset, maxBytes }),
      screen: terminal.screen,
      onChange: (state) => {
        setLog(state);
        setProblem(null);
      },
      onError: (error) => setProblem(problemOf(error)),
    });
    open.current = { window, terminal };
    const stopKeys = handleMoves(box, open.current, () => search.current());
    let timer = 0;
    let ended = false;
    const again = () => {
      void window.look().then(() => {
        if (ended) return;
        const pause = document.hidden ? PAUSE.hidden : isLive.current ? PAUSE.live : PAUSE.over;
        timer = globalThis.setTimeout(again, pause);
      });
    };
    again();
    return () => {
      ended = true;
      clearTimeout(timer);
      stopKeys();
      window.close();
      terminal.dispose();
      open.current = null;
    };
  }, [element, id, source, label]);

  return { log, problem, open };
}

/** Wheel and keys: through the window's rows, and past its edges into the rest of the log. */
function handleMoves(box: HTMLElement, { window, terminal: log }: OpenLog, onSearch: () => void) {
  const { terminal } = log;
  const buffer = () => terminal.buffer.active;
  const atTop = () => buffer().viewportY === 0;
  const atEnd = () => buffer().viewportY >= buffer().baseY;
  const settle = () => {
    if (!window.isBusy()) window.follow(atEnd());
  };
  const beyond = (up: boolean) => {
    if (window.isBusy()) return;
    if (up && atTop()) void window.earlier();
    else if (!up && atEnd()) void window.later();
  };
  const move = (up: boolean, scroll: () => void) => {
    beyond(up);
    scroll();
    settle();
  };
  terminal.attachCustomKeyEventHandler((event) => {
    // Tab leaves the log, and the shortcuts of the window go on to it.
    if (event.type !== 'keydown' || event.key === 'Tab') return false;
    const page = Math.max(1, terminal.rows - 1);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowUp: () => move(true, () => terminal.scrollLines(-1)),
      ArrowDown: () => move(false, () => terminal.scrollLines(1)),
      PageUp: () => move(true, () => terminal.scrollLines(-page)),
      PageDown: () => move(false, () => terminal.scrollLines(page)),
      Home: () => void window.toStart(),
      End: () => void window.toEnd(),
      '/': onSearch,
    };
    const isCommand = event.ctrlKey || event.metaKey;
    const action =
      isCommand && event.key === 'f' ? onSearch : isCommand ? undefined : moves[event.key];
    if (isCommand && event.key === 'c' && terminal.hasSelection())
      void navigator.clipboard.writeText(terminal.getSelection());
    if (action === undefined) return false;
    event.preventDefault();
    action();
    return false;
  });
  const wheel = (event: WheelEvent) => {
    if (event.deltaY === 0) return;
    beyond(event.deltaY < 0);
    // The terminal scrolls after this.
    requestAnimationFrame(settle);
  };
  // The bar at the side is dragged.
  const pointer = () => requestAnimationFrame(settle);
  box.addEventListener('wheel', wheel, { capture: true, passive: true });
  box.addEventListener('pointermove', pointer);
  box.addEventListener('pointerup', pointer);
  return () => {
    box.removeEventListener('wheel', wheel, { capture: true });
    box.removeEventListener('pointermove', pointer);
    box.removeEventListener('pointerup', pointer);
  };
}
