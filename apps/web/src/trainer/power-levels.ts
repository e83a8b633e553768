/** Power as the page offers it: shares of the time that the device works. */

/** The choices of the page. */
export const powerLevels = { eco: 0.3, balanced: 0.6, full: 1 } as const;
export type PowerLevel = keyof typeof powerLevels;
