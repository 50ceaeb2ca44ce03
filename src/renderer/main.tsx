import './mantine.css';
import './style.css';
import { MantineProvider, type MantineColorSchemeManager } from '@mantine/core';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { Application } from './app/application.tsx';
import { restoreViews } from './app/kept-views.ts';
import { keepJobs } from './features/jobs/use-jobs.ts';
import { theme } from './theme.ts';

/** Answers come from this machine: a failed one is told at once, and nothing is asked again because the window got the focus. */
const queries = new QueryClient({
  defaultOptions: {
    queries: { retry: false, refetchOnWindowFocus: false, networkMode: 'always' },
    mutations: { networkMode: 'always' },
  },
});

/** The main process tells the page which theme the system, or the user, has: nothing is kept or asked for here. */
const AS_THE_SYSTEM: MantineColorSchemeManager = {
  get: (initial) => initial,
  set: () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  clear: () => undefined,
};

const container = document.getElementById('root');
if (container === null) throw new Error('The page has no root.');
keepJobs(queries);
await restoreViews();
createRoot(container).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" colorSchemeManager={AS_THE_SYSTEM}>
      <QueryClientProvider client={queries}>
        <Application />
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
);
