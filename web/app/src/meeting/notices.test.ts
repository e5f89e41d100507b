import { beforeEach, expect, it, vi } from 'vitest';
import { inPlace, useNotices } from './notices';

const kinds = () => inPlace(useNotices.getState().shown).map(({ kind }) => kind);

beforeEach(() => {
  vi.useFakeTimers();
  useNotices.getState().clear();
});

// product: C15
it('keeps what asks for an answer, whatever passes after it', () => {
  const { tell } = useNotices.getState();
  tell({ kind: 'ends_soon' });
  tell({ kind: 'hand', names: ['Ada'] });
  tell({ kind: 'recording' });
  tell({ kind: 'poll', text: 'When?' });
  expect(kinds()).toEqual(['ends_soon', 'recording', 'poll']);
  vi.runAllTimers();
  expect(kinds()).toEqual(['ends_soon']);
});

it('shows the newest beside what asks, and all that asks in the end', () => {
  const { tell, forget } = useNotices.getState();
  tell({ kind: 'ends_soon' });
  tell({ kind: 'knock', names: ['Ada'] });
  tell({ kind: 'help', names: ['Mary'], room: 1 });
  tell({ kind: 'announced', from: 'Grace', text: 'Soon' });
  expect(kinds()).toEqual(['knock', 'help', 'announced']);
  tell({ kind: 'made_host' });
  expect(kinds()).toEqual(['help', 'announced', 'made_host']);
  vi.runAllTimers();
  forget(['help']);
  expect(kinds()).toEqual(['ends_soon', 'knock', 'announced']);
});

// product: C8
it('takes back what the contrary ends', () => {
  const { tell } = useNotices.getState();
  tell({ kind: 'muted' });
  tell({ kind: 'asked_to_unmute' });
  expect(kinds()).toEqual(['asked_to_unmute']);
  tell({ kind: 'muted' });
  expect(kinds()).toEqual(['muted']);
});
