/** Characters that a reader does not see, or sees as others: the one place that names them. */

/**
 * What nobody sees, or takes for a plain space: marks of writing direction and of no width, fillers, selectors, blanks other than U+0020, and
 * separators of lines and paragraphs. A name with one of them cannot be checked by reading it.
 */
const UNSEEN = /[\p{Cf}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}\u2800]|(?! )\p{Zs}/u;

export const holdsUnseen = (text: string): boolean => UNSEEN.test(text);

/** What moves a terminal's cursor, or turns the order of what stands beside it. */
export const DISTURBS_A_TERMINAL = /[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}]/gu;
