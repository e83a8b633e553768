/** The routes. The big pages are fetched when they are visited. */
import { lazy } from 'react';
import { Route, Routes } from 'react-router';
import { HomePage } from './home/home-page.tsx';
import { NotFoundPage } from './shell/not-found-page.tsx';
import { PageFrame } from './shell/page-frame.tsx';

const VolunteerPage = lazy(async () => ({ default: (await import('./volunteer/volunteer-page.tsx')).VolunteerPage }));
const DashboardPage = lazy(async () => ({ default: (await import('./dashboard/dashboard-page.tsx')).DashboardPage }));
const PlaygroundPage = lazy(async () => ({
  default: (await import('./playground/playground-page.tsx')).PlaygroundPage,
}));

/** The whole page. */
export function App() {
  return (
    <Routes>
      <Route element={<PageFrame />}>
        <Route index element={<HomePage />} />
        <Route path="/c/:id" element={<VolunteerPage />} />
        <Route path="/c/:id/live" element={<DashboardPage />} />
        <Route path="/c/:id/play" element={<PlaygroundPage />} />
        <Route path="*" element={<NotFoundPage />} />
      </Route>
    </Routes>
  );
}
