import { Signal, SignalLow, SignalMedium } from 'lucide-react';
import type { Grade } from './quality';
import styles from './Bars.module.css';

const LIT: Record<Grade, typeof Signal> = { good: Signal, fair: SignalMedium, poor: SignalLow };

/** How good a network is: lit bars, and behind them all there are, without which one alone would hardly be seen. */
export function Bars({ grade, size }: { grade: Grade; size: number }) {
  const Lit = LIT[grade];
  return (
    <span className={styles.bars} aria-hidden>
      <Signal size={size} className={styles.all} />
      <Lit size={size} strokeWidth={3} className={styles.lit} />
    </span>
  );
}
