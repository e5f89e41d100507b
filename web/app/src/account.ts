import type { Account } from '@huitong/sdk';
import { create } from 'zustand';
import { rest } from './rest';

/** Who is logged in: `undefined` until it is known, `null` for nobody. */
interface Login {
  account: Account | null | undefined;
  load: () => Promise<void>;
  login: (name: string, password: string) => Promise<void>;
  logout: () => Promise<void>;
}

export const useAccount = create<Login>(set => ({
  account: undefined,
  load: async () => {
    // Without an answer one can still join by number.
    const account = await rest.me().catch(() => null);
    set({ account });
  },
  login: async (name, password) => set({ account: await rest.login(name, password) }),
  logout: async () => {
    await rest.logout();
    set({ account: null });
  },
}));
