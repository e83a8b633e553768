/** What the page does for a run besides showing it: checkpoints when hidden, a warning before leaving, the title. */
import { useEffect, useState } from 'react';
import { t } from '../text/t.ts';
import { isRunning, stepsDone, type RunState } from './run-state.ts';
import { saveRun } from './trainer-store.ts';

/** Has the trainer keep its state whenever the page may be about to go, and asks before a run is left. */
export function useRunSafety(run: RunState): void {
  const running = isRunning(run);
  const guarded = run.phase === 'training' || run.phase === 'uploading';
  useEffect(() => {
    if (!running) return;
    const hidden = () => document.visibilityState === 'hidden' && saveRun();
    document.addEventListener('visibilitychange', hidden);
    addEventListener('pagehide', saveRun);
    return () => {
      document.removeEventListener('visibilitychange', hidden);
      removeEventListener('pagehide', saveRun);
    };
  }, [running]);
  useEffect(() => {
    if (!guarded) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', ask);
    return () => removeEventListener('beforeunload', ask);
  }, [guarded]);
}

/** `62 % · Training`. */
export function useRunTitle(run: RunState, campaignName: string): void {
  const share = run.figures ? Math.min(99, Math.floor((stepsDone(run) / run.figures.steps) * 100)) : null;
  useEffect(() => {
    const phase = run.phase === 'idle' ? campaignName : t(`phase.${run.phase}`);
    const training = run.phase === 'training' || run.phase === 'paused';
    document.title = `${training && share !== null ? `${share} % · ` : ''}${phase} · ${t('app.name')}`;
  }, [run.phase, share, campaignName]);
}

/** Keeps the screen on while `wanted`; the browser drops the lock when the tab is hidden, so it is asked for again. */
export function useWakeLock(wanted: boolean): void {
  useEffect(() => {
    if (!wanted || !('wakeLock' in navigator)) return;
    let lock: WakeLockSentinel | null = null;
    let over = false;
    const request = async () => {
      if (document.visibilityState !== 'visible') return;
      try {
        lock = await navigator.wakeLock.request('screen');
      } catch (error) {
        // Refused on low battery: the run goes on without it.
        if (!(error instanceof DOMException)) throw error;
      }
      if (over) await lock?.release();
    };
    void request();
    document.addEventListener('visibilitychange', request);
    return () => {
      over = true;
      document.removeEventListener('visibilitychange', request);
      void lock?.release();
    };
  }, [wanted]);
}

/** The time now, renewed every `everyMs` while `running`. */
export function useNow(everyMs: number, running: boolean): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, running]);
  return now;
}
