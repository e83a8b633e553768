/** Light, dark, or as the system says. `public/theme.js` applies the stored choice before the first paint. */
import { create } from 'zustand';

const KEY = 'oneround:theme';
const order = ['system', 'light', 'dark'] as const;

/** The visitor's choice. */
export type Theme = (typeof order)[number];

interface ThemeStore {
  theme: Theme;
  /** Goes from system to light to dark and round again. */
  next(): void;
}

/** The theme and how to change it. */
export const useTheme = create<ThemeStore>((set, get) => ({
  theme: storedTheme(),
  next() {
    const theme = order[(order.indexOf(get().theme) + 1) % order.length]!;
    apply(theme);
    set({ theme });
  },
}));

function storedTheme(): Theme {
  const stored = localStorage.getItem(KEY);
  return order.find((theme) => theme === stored) ?? 'system';
}

function apply(theme: Theme): void {
  if (theme === 'system') {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
}

/** Calls `listener` when the colours change, by choice or by the system. Returns how to unsubscribe. */
export function onThemeChange(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', listener);
  const stopChoice = useTheme.subscribe(listener);
  return () => {
    system.removeEventListener('change', listener);
    stopChoice();
  };
}

/** The colours of the tokens `names` as the browser resolves them now, for what is drawn on a canvas. */
export function resolveColours<Name extends string>(names: readonly Name[]): Record<Name, string> {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colours = names.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color] as const;
  });
  probe.remove();
  return Object.fromEntries(colours) as Record<Name, string>;
}
