/** No route fits the address. */
import { Link } from 'react-router';
import { t } from '../text/t.ts';
import { Notice } from './notice.tsx';

export function NotFoundPage() {
  return (
    <Notice title={t('notFound.title')} text={t('notFound.text')}>
      <Link to="/" className="button">
        {t('notFound.home')}
      </Link>
    </Notice>
  );
}
