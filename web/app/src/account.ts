import type { Account } from '@huitong/sdk';
import { create } from 'zustand';
import { rest } from './rest';

/** Who is logged in: `undefined` until it is known, `null` for nobody. */
interface Login {
  account: Account | null | undefined;
  /** The initial password somebody has just logged in with, while he is asked for another (L2). */
  initialPassword: string | null;
  load: () => Promise<void>;
  login: (name: string, password: string) => Promise<void>;
  logout: () => Promise<void>;
  /** The account has been changed. */
  renew: (account: Account) => void;
  /** 忽略: until the next login. */
  ignore: () => void;
}

export const useAccount = create<Login>(set => ({
  account: undefined,
  initialPassword: null,
  load: async () => {
    // Without an answer one can still join by number.
    const account = await rest.me().catch(() => null);
    set({ account });
  },
  login: async (name, password) => {
    const account = await rest.login(name, password);
    set({ account, initialPassword: account.initial_password ? password : null });
  },
  logout: async () => {
    await rest.logout();
    set({ account: null, initialPassword: null });
  },
  renew: account => set({ account }),
  ignore: () => set({ initialPassword: null }),
}));
