import { VisuallyHidden } from '@mantine/core';
import { DoorOpen, Hand } from 'lucide-react';
import { type ButtonHTMLAttributes, type ReactNode, forwardRef } from 'react';
import styles from './Bar.module.css';

interface BarButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: ReactNode;
  label: string;
  /** What stands below the icon where the bar is narrow; best a part of `label`, which is then what is read out. */
  short?: string;
  /** A small number on the icon. */
  count?: number;
  /** So many hands are up. */
  hands?: number;
  /** So many wait at the door. */
  waiting?: number;
  /** What the numbers mean, for whoever listens. */
  spoken?: string[];
  /** The number wants to be looked at. */
  alarming?: boolean;
  tone?: 'off' | 'on' | 'danger' | undefined;
}

/** An icon with its word below. */
export const BarButton = forwardRef<HTMLButtonElement, BarButtonProps>(function BarButton(
  { icon, label, short = label, count, hands, waiting, spoken = [], alarming, tone, className = '', ...rest },
  ref,
) {
  // Who speaks to his device says what he sees: it is part of the button's name (WCAG 2.5.3).
  const isPart = label.toLowerCase().includes(short.toLowerCase());
  return (
    <button
      ref={ref}
      type="button"
      className={`${styles.button} ${className}`}
      data-tone={tone}
      title={label}
      {...rest}
    >
      <span className={styles.icon}>
        {icon}
        {/* Raised hands want to be looked at: they stand in the place of how many are here. */}
        {count !== undefined && hands === undefined && (
          <span className={styles.count} aria-hidden data-alarming={alarming || undefined}>
            {count}
          </span>
        )}
        {hands !== undefined && (
          <span className={styles.hands} aria-hidden data-testid="hands">
            <Hand size={11} strokeWidth={2.5} />
            {hands}
          </span>
        )}
        {waiting !== undefined && (
          <span className={styles.waiting} aria-hidden data-testid="at-door">
            <DoorOpen size={11} strokeWidth={2.5} />
            {waiting}
          </span>
        )}
      </span>
      {short === label ? (
        <span className={styles.label}>{label}</span>
      ) : (
        <>
          <span className={`${styles.label} ${isPart ? styles.said : styles.wide}`}>{label}</span>
          <span className={`${styles.label} ${styles.narrow}`} aria-hidden={isPart || undefined}>
            {short}
          </span>
        </>
      )}
      {spoken.map(text => (
        <VisuallyHidden key={text}>{text}</VisuallyHidden>
      ))}
    </button>
  );
});
