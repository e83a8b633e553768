/** Why a page has nothing to show yet: an unknown campaign, or a server that does not answer. */
import { Link } from 'react-router';
import { UnknownCampaign } from '../campaign/api.ts';
import { t } from '../text/t.ts';
import { Notice } from './notice.tsx';

/** Any other error is a fault of the page and goes to the error boundary. */
export function QueryFailure({ error, id, retry }: { error: Error; id: string; retry: () => void }) {
  if (error instanceof UnknownCampaign) {
    return (
      <Notice title={t('unknownCampaign.title')} text={t('unknownCampaign.text', { id })}>
        <Link to="/" className="button">
          {t('notFound.home')}
        </Link>
      </Notice>
    );
  }
  return (
    <Notice title={t('serverGone.title')} text={`${t('serverGone.text')} ${error.message}`} alert>
      <button type="button" className="button" onClick={retry}>
        {t('serverGone.retry')}
      </button>
    </Notice>
  );
}
