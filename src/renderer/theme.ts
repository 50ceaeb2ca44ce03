import { createTheme, Menu, Modal, Popover, SegmentedControl, Tooltip } from '@mantine/core';

/** What opens is there at once: nothing has to be waited for before it can be read. */
const AT_ONCE = { transitionProps: { duration: 0 } };

/** 13 px is the base, and 12 the least that is written: test/e2e/readable.spec.ts. */
export const theme = createTheme({
  fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif',
  fontFamilyMonospace:
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace',
  fontSizes: { xs: '12px', sm: '13px', md: '13px', lg: '15px', xl: '18px' },
  defaultRadius: 'sm',
  primaryShade: 8,
  cursorType: 'pointer',
  respectReducedMotion: true,
  components: {
    Modal: Modal.extend({ defaultProps: AT_ONCE }),
    ModalRoot: Modal.Root.extend({ defaultProps: AT_ONCE }),
    Popover: Popover.extend({ defaultProps: AT_ONCE }),
    Menu: Menu.extend({ defaultProps: AT_ONCE }),
    Tooltip: Tooltip.extend({ defaultProps: AT_ONCE }),
    SegmentedControl: SegmentedControl.extend({ defaultProps: { transitionDuration: 0 } }),
  },
});
