/** Shows a fault of the page itself in words, with a way out. */
import { Component, type ReactNode } from 'react';
import { t } from '../text/t.ts';
import { Notice } from './notice.tsx';

/** Catches what its children throw while rendering. */
export class ErrorBoundary extends Component<{ children: ReactNode }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown) {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  override render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return (
      <Notice title={t('crash.title')} text={t('crash.text', { problem: error.message })} alert>
        <button type="button" className="button" onClick={() => location.reload()}>
          {t('crash.reload')}
        </button>
      </Notice>
    );
  }
}
