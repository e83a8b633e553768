/** The look of a client's state: glyph, word and colour say the same. */
import { t } from '../text/t.ts';
import type { RowState } from './client-table-rows.ts';

interface StateLook {
  glyph: string;
  /** For words. */
  text: string;
  /** For bars of the timeline. */
  fill: string;
}

export const stateLooks: Record<RowState, StateLook> = {
  joined: { glyph: '○', text: 'text-muted', fill: 'fill-line-strong' },
  downloading: { glyph: '↓', text: 'text-series-3', fill: 'fill-series-3' },
  training: { glyph: '▶', text: 'text-accent', fill: 'fill-series-1' },
  paused: { glyph: '‖', text: 'text-warning', fill: 'fill-series-5' },
  uploading: { glyph: '↑', text: 'text-series-4', fill: 'fill-series-4' },
  contributed: { glyph: '✓', text: 'text-success', fill: 'fill-success' },
  gone: { glyph: '–', text: 'text-muted', fill: 'fill-muted' },
  refused: { glyph: '✕', text: 'text-danger', fill: 'fill-danger' },
  quarantined: { glyph: '?', text: 'text-warning', fill: 'fill-warning' },
  withdrawn: { glyph: '↩', text: 'text-muted', fill: 'fill-line-strong' },
};

/** `✓ merged`. */
export function ClientState({ state }: { state: RowState }) {
  const { glyph, text } = stateLooks[state];
  return (
    <span className={`whitespace-nowrap font-semibold ${text}`}>
      <span aria-hidden="true" className="mr-1 inline-block w-3 text-center">
        {glyph}
      </span>
      {t(`client.${state}`)}
    </span>
  );
}
