/** How lines of a chart are told apart: by hue, and by their dashes where hues are not seen. Each of the first eight is like no other. */

export interface LineStyle {
  readonly light: string;
  readonly dark: string;
  /** Lengths of line and gap, pixels; empty: without a gap. */
  readonly dash: readonly number[];
}

export const LINE_STYLES: readonly LineStyle[] = [
  { light: '#1864ab', dark: '#4dabf7', dash: [] },
  { light: '#a34a00', dark: '#ffa94d', dash: [6, 3] },
  { light: '#2b7a3c', dark: '#69db7c', dash: [2, 2] },
  { light: '#862e9c', dark: '#da77f2', dash: [8, 3, 2, 3] },
  { light: '#a61e4d', dark: '#faa2c1', dash: [12, 4] },
  { light: '#0b7285', dark: '#66d9e8', dash: [2, 5] },
  { light: '#5c4a00', dark: '#ffe066', dash: [10, 3, 2, 3, 2, 3] },
  { light: '#495057', dark: '#ced4da', dash: [5, 5] },
];

/** The mean of many cards, which is none of them: in ink. */
const MEAN: LineStyle = { light: '#212529', dark: '#f1f3f5', dash: [] };

function styleOf(style: number): LineStyle {
  return style < 0 ? MEAN : (LINE_STYLES[style % LINE_STYLES.length] ?? MEAN);
}

export const strokeOf = (style: number, dark: boolean): string =>
  dark ? styleOf(style).dark : styleOf(style).light;

export const dashOf = (style: number): readonly number[] => styleOf(style).dash;
