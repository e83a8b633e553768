/** Why there is no contribution (yet), in words, with what can be done. */
import { CircleAlert, Hourglass, Info } from 'lucide-react';
import { t } from '../text/t.ts';
import type { RunState } from './run-state.ts';
import { resetRun, startRun, useTrainer } from './trainer-store.ts';

export function FailureCard({ run, campaignId }: { run: RunState; campaignId: string }) {
  const request = useTrainer((store) => store.request);
  const again = () => startRun(request ?? { campaignId, source: { kind: 'shard' }, backend: 'auto' });
  if (run.phase === 'waiting') {
    return (
      <output className="card flex gap-4 p-5" data-testid="refusal">
        <Hourglass className="mt-1 size-5 shrink-0 text-warning" aria-hidden="true" />
        <div>
          <h2 className="text-base">{t('failure.waiting.title')}</h2>
          <p className="mt-1 text-muted">{run.reason}</p>
        </div>
      </output>
    );
  }
  if (run.phase === 'stopped') {
    return (
      <button type="button" className="button self-start" onClick={resetRun}>
        {t('result.again')}
      </button>
    );
  }
  const { failure } = run;
  if (!failure) return null;
  const { remedy, message } = failure;
  if (remedy === 'nothing-left') {
    return (
      <output className="card flex gap-4 p-5">
        <Info className="mt-1 size-5 shrink-0 text-muted" aria-hidden="true" />
        <div className="flex flex-col items-start gap-3">
          <div>
            <h2 className="text-base">{t('failure.nothingLeft.title')}</h2>
            <p className="mt-1 text-muted" data-testid="refusal">
              {message} {t('failure.nothingLeft.own')}
            </p>
          </div>
          <button type="button" className="button" onClick={resetRun}>
            {t('failure.nothingLeft.back')}
          </button>
        </div>
      </output>
    );
  }
  return (
    <section className="card flex gap-4 border-danger p-5" role="alert">
      <CircleAlert className="mt-1 size-5 shrink-0 text-danger" aria-hidden="true" />
      <div className="flex flex-col items-start gap-3">
        <div>
          <h2 className="text-base">{remedy === 'busy' ? t('failure.busy.title') : t('failure.title')}</h2>
          <p className="mt-1 text-muted" data-testid="refusal">
            {message}
          </p>
        </div>
        {remedy === 'other-backend' && request ? (
          <button type="button" className="button" onClick={() => startRun({ ...request, backend: 'wasm' })}>
            {t('failure.otherBackend')}
          </button>
        ) : (
          <button type="button" className="button" onClick={remedy === 'final' ? resetRun : again}>
            {remedy === 'busy' ? t('failure.here') : t('failure.retry')}
          </button>
        )}
      </div>
    </section>
  );
}
