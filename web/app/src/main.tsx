import '@mantine/core/styles.css';
import './app.css';
import { MantineProvider } from '@mantine/core';
import { StrictMode, Suspense, lazy } from 'react';
import { createRoot } from 'react-dom/client';
import { BrowserRouter, Route, Routes } from 'react-router';
import { useAccount } from './account';
import { startI18n } from './i18n';
import { ForgotPage, ResetPage } from './pages/ForgotPage';
import { HomePage } from './pages/HomePage';
import { JoinPage } from './pages/JoinPage';
import { NotFoundPage } from './pages/NotFoundPage';
import { theme, variables } from './theme';

const SettingsPage = lazy(() =>
  import('./pages/SettingsPage').then(({ SettingsPage }) => ({ default: SettingsPage })),
);
// Of who is logged in, and not needed at once.
const Reminders = lazy(() => import('./parts/Reminders').then(({ Reminders }) => ({ default: Reminders })));
const BookPage = lazy(() => import('./pages/BookPage').then(({ BookPage }) => ({ default: BookPage })));

function Booking() {
  return (
    <Suspense>
      <BookPage />
    </Suspense>
  );
}

function Reminding() {
  const account = useAccount(state => state.account);
  return account ? (
    <Suspense>
      <Reminders key={account.id} />
    </Suspense>
  ) : null;
}

const root = document.getElementById('root');
if (!root) throw new Error('the page has no root');

void useAccount.getState().load();
await startI18n();
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} cssVariablesResolver={variables} defaultColorScheme="auto">
      <BrowserRouter>
        <Routes>
          <Route path="/" element={<HomePage />} />
          <Route path="/j/:number" element={<JoinPage />} />
          <Route path="/forgot" element={<ForgotPage />} />
          <Route path="/reset" element={<ResetPage />} />
          <Route
            path="/settings"
            element={
              <Suspense>
                <SettingsPage />
              </Suspense>
            }
          />
          <Route path="/book" element={<Booking />} />
          <Route path="/meetings/:id" element={<Booking />} />
          <Route path="*" element={<NotFoundPage />} />
        </Routes>
        <Reminding />
      </BrowserRouter>
    </MantineProvider>
  </StrictMode>,
);
