/** What every page shares: the bar with the name and the theme, and the main landmark. */
import { Monitor, Moon, Sun } from 'lucide-react';
import { Suspense } from 'react';
import { Link, Outlet } from 'react-router';
import { t } from '../text/t.ts';
import { ErrorBoundary } from './error-boundary.tsx';
import { useTheme } from './theme.ts';

const themeIcons = { system: Monitor, light: Sun, dark: Moon } as const;

/** The frame around the routed page. */
export function PageFrame() {
  return (
    <>
      <a href="#content" className="button absolute left-2 top-2 z-10 -translate-y-24 focus:translate-y-0">
        {t('app.skip')}
      </a>
      <header className="border-b border-line bg-surface">
        <div className="mx-auto flex max-w-6xl items-center justify-between gap-4 px-4 py-2">
          <Link to="/" className="flex min-h-11 items-center gap-2 font-semibold">
            <Mark />
            {t('app.name')}
          </Link>
          <ThemeButton />
        </div>
      </header>
      <main id="content" tabIndex={-1} className="mx-auto max-w-6xl px-4 py-6 outline-none sm:py-8">
        <ErrorBoundary>
          <Suspense fallback={<p className="text-muted">{t('loading')}</p>}>
            <Outlet />
          </Suspense>
        </ErrorBoundary>
      </main>
    </>
  );
}

/** One round, not quite closed, around what it makes. */
function Mark() {
  return (
    <svg viewBox="0 0 32 32" className="size-6" aria-hidden="true" fill="none">
      <path d="M16 5a11 11 0 1 1-9.53 5.5" className="stroke-accent" strokeWidth="3.5" strokeLinecap="round" />
      <circle cx="16" cy="16" r="4" className="fill-series-2" />
    </svg>
  );
}

function ThemeButton() {
  const { theme, next } = useTheme();
  const Icon = themeIcons[theme];
  return (
    <button type="button" className="button button-small min-h-11 border-transparent" onClick={next}>
      <Icon className="size-4" aria-hidden="true" />
      <span className="sr-only">{t('theme.label')}: </span>
      {t(`theme.${theme}`)}
    </button>
  );
}
