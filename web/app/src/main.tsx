import './mantine.css';
import './app.css';
import { MantineProvider } from '@mantine/core';
import { type ReactNode, StrictMode, Suspense, lazy } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter, Route, Routes } from 'react-router';
import { useAccount } from './account';
import { isEmbedded } from './embed/mode';
import { startI18n } from './i18n';
import { install } from './install';
import { HomePage } from './pages/HomePage';
import { JoinPage } from './pages/JoinPage';
import { NotFoundPage } from './pages/NotFoundPage';
import { theme, variables } from './theme';

const SettingsPage = lazy(() =>
  import('./pages/SettingsPage').then(({ SettingsPage }) => ({ default: SettingsPage })),
);
const ForgotPage = lazy(() =>
  import('./pages/ForgotPage').then(({ ForgotPage }) => ({ default: ForgotPage })),
);
const ResetPage = lazy(() => import('./pages/ForgotPage').then(({ ResetPage }) => ({ default: ResetPage })));
// Of who is logged in, and not needed at once.
const Reminders = lazy(() => import('./parts/Reminders').then(({ Reminders }) => ({ default: Reminders })));
const AdminPage = lazy(() => import('./admin/AdminPage').then(({ AdminPage }) => ({ default: AdminPage })));
const BookPage = lazy(() => import('./pages/BookPage').then(({ BookPage }) => ({ default: BookPage })));

/** What is fetched when it is wanted. */
const later = (page: ReactNode) => <Suspense>{page}</Suspense>;

function Reminding() {
  const account = useAccount(state => state.account);
  return account ? (
    <Suspense>
      <Reminders key={account.id} />
    </Suspense>
  ) : null;
}

const root = document.getElementById('root');
// What public/old.js has said of an old browser stays.
if (!root || root.hasChildNodes()) throw new Error('the page has no empty root');

if (isEmbedded) void import('./embed/bridge').then(({ startBridge }) => startBridge());
else install();
void useAccount.getState().load();
await startI18n();
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <BrowserRouter>
        <Routes>
          <Route path="/" element={<HomePage />} />
          <Route path="/j/:number" element={<JoinPage />} />
          <Route path="/embed/:number" element={<JoinPage />} />
          <Route path="/forgot" element={later(<ForgotPage />)} />
          <Route path="/reset" element={later(<ResetPage />)} />
          <Route path="/settings" element={later(<SettingsPage />)} />
          <Route path="/admin" element={later(<AdminPage />)} />
          <Route path="/book" element={later(<BookPage />)} />
          <Route path="/meetings/:id/:occurrence?" element={later(<BookPage />)} />
          <Route path="*" element={<NotFoundPage />} />
        </Routes>
        {!isEmbedded && <Reminding />}
      </BrowserRouter>
    </MantineProvider>
  </StrictMode>,
);
