import { Rest } from '@huitong/sdk';

/** The server this page came from. */
export const rest = new Rest();
