import { useMediaQuery } from '@mantine/hooks';

/** Whether fingers choose: then the telephone's own wheels for days and times are better. */
export function useFinger(): boolean {
  return useMediaQuery('(pointer: coarse)', false, { getInitialValueInEffect: false });
}
