/** How hard the device works, and whether its screen stays on. Both can be changed while training. */
import { useId, useState } from 'react';
import { t } from '../text/t.ts';
import { powerLevels, type PowerLevel } from '../trainer/power-levels.ts';
import { useWakeLock } from './page-life.ts';
import { isRunning } from './run-state.ts';
import { setPower, useTrainer } from './trainer-store.ts';

const AWAKE_KEY = 'oneround:keep-awake';
const levels = Object.keys(powerLevels) as PowerLevel[];

export function PowerChoice() {
  const power = useTrainer((store) => store.power);
  const note = useId();
  return (
    <div className="flex flex-col gap-4">
      <fieldset aria-describedby={note}>
        <legend className="mb-2 font-semibold">{t('power.title')}</legend>
        <div className="grid grid-cols-3 overflow-hidden rounded-lg border border-line-strong">
          {levels.map((level) => (
            <label
              key={level}
              className="relative flex min-h-11 cursor-pointer flex-col items-center justify-center border-l border-line-strong px-1 py-1 text-sm whitespace-nowrap first:border-l-0 has-checked:bg-accent has-checked:font-semibold has-checked:text-on-accent has-focus-visible:outline-2 has-focus-visible:-outline-offset-4 has-focus-visible:outline-current"
            >
              <input
                type="radio"
                name="power"
                className="absolute inset-0 cursor-pointer appearance-none outline-none"
                checked={power === level}
                onChange={() => setPower(level)}
              />
              {t(`power.${level}`)}
              <span className="numbers text-xs">{Math.round(powerLevels[level] * 100)} %</span>
            </label>
          ))}
        </div>
        <p id={note} className="mt-2 text-xs text-muted">
          {t('power.note')}
        </p>
      </fieldset>
      <KeepAwake />
    </div>
  );
}

function KeepAwake() {
  const [wanted, setWanted] = useState(() => localStorage.getItem(AWAKE_KEY) === '1');
  const running = useTrainer((store) => isRunning(store.run));
  useWakeLock(wanted && running);
  if (!('wakeLock' in navigator)) return <p className="text-xs text-muted">{t('awake.unsupported')}</p>;
  const change = (next: boolean) => {
    setWanted(next);
    localStorage.setItem(AWAKE_KEY, next ? '1' : '0');
  };
  return (
    <label className="flex min-h-6 cursor-pointer items-center gap-3 text-sm">
      <input type="checkbox" className="size-4" checked={wanted} onChange={(event) => change(event.target.checked)} />
      {t('awake.label')}
    </label>
  );
}
